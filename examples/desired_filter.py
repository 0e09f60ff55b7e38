"""A filter that will not learn: four diagnoses of one small calculation, and the slip in a published answer.

A 3x3 input, a 2x2 filter, a valid convolution, a ReLU, error = target − output, and

    filter = filter − 0.5 · (correlation of the input with the error)
"""

from typing import NamedTuple

import numpy as np

from whygrad import half_squared_error
from whygrad.ops import conv2d, relu, sigmoid

INPUT = np.array([[1.0, -1, 0], [0, 1, 0], [0, -1, 1]])
FILTER = np.array([[1.0, -1], [1, 1]])
TARGET = np.array([[1.0, 0], [0, 1]])
TARGET_BELOW_ZERO = np.array([[1.0, -1], [0, 1]])  # what the filter [[1, 0], [0, 0]] gives without a ReLU
PUBLISHED_GRADIENT = np.array([[1.0, 2], [1, -2]])


class Pass(NamedTuple):
    """One forward and backward pass."""

    h: np.ndarray  # before the unit
    y: np.ndarray
    loss: float  # ½ Σ (target − y)²
    gradient: np.ndarray  # ∂loss/∂filter


def no_unit(h):
    """Return h as it is, and its pullback."""
    return h, lambda dy: dy


def one_pass(weights, target=TARGET, unit=relu):
    """Run the network forward and backward."""
    h, through_conv = conv2d(INPUT[None, None], weights[None, None])
    y, through_unit = unit(h)
    loss, dy = half_squared_error(y, target[None, None])
    _, gradient, _ = through_conv(through_unit(dy))
    return Pass(h[0, 0], y[0, 0], loss, gradient[0, 0])


def correlation(error):
    """Return the sum over the positions of error times the input that each weight saw there: conv2d's dw."""
    _, pullback = conv2d(INPUT[None, None], FILTER[None, None])
    return pullback(error[None, None])[1][0, 0]


def train(rate, steps, target=TARGET, unit=relu):
    """Subtract rate · gradient; return the loss before each step and after the last one, and the last filter."""
    weights, losses = FILTER, []
    for _ in range(steps):
        now = one_pass(weights, target, unit)
        losses.append(now.loss)
        weights = weights - rate * now.gradient
    return [*losses, one_pass(weights, target, unit).loss], weights


def largest_stable_rate():
    """Return 2/λ of the largest curvature λ of the loss without a unit: above it descent overshoots and grows."""
    patches = np.lib.stride_tricks.sliding_window_view(INPUT, (2, 2)).reshape(4, 4)
    return 2 / float(np.linalg.eigvalsh(patches.T @ patches).max())


def differing(printed, exact):
    """Return the places at which a printed matrix is not the exact one."""
    return [tuple(map(int, at)) for at in np.argwhere(printed != exact)]


def text(matrix):
    """Write a matrix in one line, to three decimals."""
    return (
        "["
        + ", ".join("[" + ", ".join(f"{round(entry, 3) + 0.0:g}" for entry in row) + "]" for row in matrix)
        + "]"
    )


def main():
    """Tell the story."""
    first = one_pass(FILTER)
    error = TARGET - first.y
    print("The first step")
    print(f"  before ReLU {text(first.h)}, after {text(first.y)}, error = target - output {text(error)}")
    print(f"  input correlated with the error {text(correlation(error))}")
    print(f"  gradient of E = 1/2 sum (target - output)^2 {text(first.gradient)}: the same with the other sign")
    print(f"  subtracting the first gives {text(FILTER - 0.5 * correlation(error))},")
    print(f"  subtracting the second {text(FILTER - 0.5 * first.gradient)}\n")

    losses, _ = train(-0.5, 6)
    print("1. Subtracting with error = target - output climbs: dE/d(output) is output - target. The loss goes")
    print(f"   {', '.join(f'{loss:.6g}' for loss in losses)}\n")

    losses, weights = train(0.5, 100)
    last = one_pass(weights)
    print("2. With the right sign, a rate of 0.5 is too high. The loss falls, jumps about, and stays at 1:")
    print(f"   {', '.join(f'{loss:.3g}' for loss in losses[:12])}, ... {losses[-1]:.3g}")
    print(f"   The outputs before the ReLU are now {text(last.h)}. None is above 0: each unit is dead and")
    print(f"   lets no gradient through. The gradient is {text(last.gradient)} and nothing will change again.\n")

    losses, weights = train(0.1, 1000)
    print(f"3. A rate of 0.1 works: the loss goes from {losses[0]:g} to {losses[-1]:.1e}. The filter becomes")
    print(f"   {text(weights)} and not [[1, 0], [0, 0]]. Before the ReLU it gives")
    print(f"   {text(one_pass(weights).h)}. Where the target is 0, the ReLU accepts anything below 0, so")
    print("   only the two ones are equations, for four weights: the target does not determine the filter.\n")

    losses, weights = train(0.1, 3000, TARGET_BELOW_ZERO, no_unit)
    print(f"4. To get [[1, 0], [0, 0]] back, ask for what it gives: {text(TARGET_BELOW_ZERO)}, without a ReLU.")
    print(f"   Loss {losses[0]:g} to {losses[-1]:.1e}, filter {text(weights)}.")
    print(f"   Here every rate below {largest_stable_rate():.3f} works; at 0.5 the loss would go", end=" ")
    print(", ".join(f"{loss:.4g}" for loss in train(0.5, 3, TARGET_BELOW_ZERO, no_unit)[0]) + ".")
    losses, weights = train(1.0, 4000, sigmoid(TARGET_BELOW_ZERO)[0], sigmoid)
    print(f"   With a sigmoid, and the target through it as well, it is {text(weights)}, loss {losses[-1]:.1e}.\n")

    error = TARGET_BELOW_ZERO - first.y
    exact = correlation(error)
    print(f"A published answer takes the target {text(TARGET_BELOW_ZERO)} and the error {text(error)},")
    print(f"  and prints the correlation as {text(PUBLISHED_GRADIENT)}. It is {text(exact)}:")
    for row, column in differing(PUBLISHED_GRADIENT, exact):
        print(f"  entry ({row}, {column}) is {exact[row, column]:g}, not {PUBLISHED_GRADIENT[row, column]:g}")
    print(f"  Its new filter is that of the right numbers, {text(FILTER + 0.5 * exact)};")
    print(f"  the printed ones would give {text(FILTER + 0.5 * PUBLISHED_GRADIENT)}.")


if __name__ == "__main__":
    main()
