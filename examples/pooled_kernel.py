"""From the deltas of a dense layer back to a kernel, through a sigmoid and a max-pooling, number by number.

5x5 image o → 2x2 convolution → 4x4 map → 2x2 max-pooling → sigmoid → two dense units H1 and H2, whose deltas ∂E/∂H
are given. Were the deltas right, how is the kernel updated, and what if there are more layers or channels?
"""

from typing import NamedTuple

import numpy as np

from whygrad.checking import Report, check_gradient
from whygrad.ops import conv2d, linear, max_pool2d, relu, sigmoid, tanh

IMAGE = np.array(
    [
        [0.51, 0.90, 0.88, 0.84, 0.05],
        [0.40, 0.62, 0.22, 0.59, 0.10],
        [0.11, 0.20, 0.74, 0.33, 0.14],
        [0.47, 0.01, 0.85, 0.70, 0.09],
        [0.76, 0.19, 0.72, 0.17, 0.57],
    ]
)
DENSE = np.array([[0.61, 0.82, 0.96, -1.00], [0.02, -0.50, 0.23, 0.17]])
DENSE_DELTAS = np.array([[0.25, -0.15]])
OUTPUTS = np.array([[[[0.58, 0.57], [0.65, 0.55]]]])  # of the sigmoid
KERNEL_CORNER = -0.13  # w[0, 0], the only weight that is given
PRINTED = np.array([[0.0364, 0.0686], [0.0467, -0.0681]])  # the deltas as they were carried on by hand
MAXIMA = [(1, 1), (0, 2), (2, 1), (3, 3)]  # where they were written into the 4x4 map


class Deeper(NamedTuple):
    """The gradients of a network with one more convolution in front, and their check."""

    delta_o: np.ndarray  # ∂E/∂o, what the earlier convolution is given
    earlier: np.ndarray  # ∂E/∂ its kernel
    later: np.ndarray  # ∂E/∂ the kernel behind it
    report: Report


def deltas(unit=sigmoid):
    """Return ∂E/∂(pooled map), 2x2: the dense layer's weights first, then the slope of the unit."""
    _, through_dense = linear(OUTPUTS.reshape(1, 4), DENSE)
    from_dense, _, _ = through_dense(DENSE_DELTAS)
    _, through_unit = unit(np.log(OUTPUTS / (1 - OUTPUTS)))  # the sigmoid of this is OUTPUTS
    return through_unit(from_dense.reshape(OUTPUTS.shape))[0, 0]


def cut_off(exact, printed, decimals=4):
    """Return the printed numbers that are the exact ones cut off after some decimals and not rounded."""
    cut = np.trunc(exact * 10**decimals) / 10**decimals
    return printed[np.isclose(printed, cut) & ~np.isclose(printed, exact.round(decimals))]


def route(pooled):
    """Return the 4x4 map of deltas: each one at the place of its window's maximum, 0 elsewhere.

    Few entries of the 4x4 map are known, so this one is made up, with its maxima in the places stated: the numbers
    whose sigmoids are OUTPUTS there, the known 0.25 at (0, 0), and −1 elsewhere.
    """
    before = np.full((4, 4), -1.0)
    before[0, 0] = 0.25
    before[tuple(np.transpose(MAXIMA))] = np.log(OUTPUTS / (1 - OUTPUTS)).ravel()
    _, through_pooling = max_pool2d(before[None, None], kernel_size=2)
    return through_pooling(pooled[None, None])[0, 0]


def kernel_gradient(pooled):
    """Return ∂E/∂w, 2x2; the weights themselves do not enter, only w[0, 0] of them is known."""
    _, through_conv = conv2d(IMAGE[None, None], np.array([[[[KERNEL_CORNER, 0], [0, 0]]]]))
    _, gradient, _ = through_conv(route(pooled)[None, None])
    return gradient[0, 0]


def updated_corner(rate):
    """Return w[0, 0] after w ← w − rate · ∂E/∂w."""
    return KERNEL_CORNER - rate * kernel_gradient(deltas())[0, 0]


def deeper():
    """Put a 2x2 convolution in front, from a made-up 6x6 image to a 5x5 map o, with made-up kernels.

    E is H1 · 0.25 − H2 · 0.15, whose deltas at H are the ones given.
    """
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 1, (1, 1, 6, 6))
    kernels = {"earlier": rng.normal(size=(1, 1, 2, 2)), "later": rng.normal(size=(1, 1, 2, 2))}
    kernels["later"][0, 0, 0, 0] = KERNEL_CORNER

    def forward(at):
        o, through_earlier = conv2d(image, at["earlier"])
        x, through_later = conv2d(o, at["later"])
        pooled, through_pooling = max_pool2d(x, kernel_size=2)
        y, through_sigmoid = sigmoid(pooled)
        h, through_dense = linear(y.reshape(1, 4), DENSE)
        error = float((DENSE_DELTAS * h).sum())
        return error, (through_earlier, through_later, through_pooling, through_sigmoid, through_dense)

    _, (through_earlier, through_later, through_pooling, through_sigmoid, through_dense) = forward(kernels)
    from_dense, _, _ = through_dense(DENSE_DELTAS)
    delta_x = through_pooling(through_sigmoid(from_dense.reshape(1, 1, 2, 2)))
    delta_o, later, _ = through_later(delta_x)
    _, earlier, _ = through_earlier(delta_o)
    claimed = {"earlier": earlier, "later": later}
    report = check_gradient(lambda at: forward(at)[0], claimed, kernels)
    return Deeper(delta_o[0, 0], earlier[0, 0], later[0, 0], report)


def channels():
    """Return ∂E/∂w for two filters on three channels, (2, 3, 2, 2), and its check.

    The first channel is IMAGE and the first filter's deltas are those above; the others are made up. E is the sum
    of deltas · outputs, which has these deltas.
    """
    rng = np.random.default_rng(0)
    image = np.concatenate([IMAGE[None], rng.uniform(0, 1, (2, 5, 5))])[None]
    delta = np.stack([route(deltas()), rng.normal(0, 0.05, (4, 4))])[None]
    weights = rng.normal(size=(2, 3, 2, 2))
    _, pullback = conv2d(image, weights)
    _, gradient, _ = pullback(delta)
    report = check_gradient(lambda w: (delta * conv2d(image, w)[0]).sum(), gradient, {"w": weights})
    return gradient, report


def text(matrix, digits=8):
    """Write a matrix with one row a line."""
    return "\n".join("    " + " ".join(f"{entry + 0.0:>{digits + 5}.{digits}f}" for entry in row) for row in matrix)


def main():
    """Tell the story."""
    exact = deltas()
    print("1. Deltas before the sigmoid, (sum of delta H * weight) * y * (1 - y). All four were right:")
    print(text(exact))
    cut = ", ".join(f"{number:.4f}" for number in cut_off(exact, PRINTED))
    print(f"   Carried on with four decimals, {cut} were cut off; rounded they are 0.0468, -0.0682.\n")
    print("2. Max-pooling gives each delta to the maximum of its window and 0 to the rest. (Only a few numbers of")
    print(f"   the 4x4 map are known; this one is made up with its maxima at {', '.join(map(str, MAXIMA))}.)")
    print(text(route(exact)))
    print("\n3. Gradient of the kernel, dE/dw[m, n] = sum over i, j of delta[i, j] * o[i+m, j+n]")
    print("   from the deltas as printed:")
    print(text(kernel_gradient(PRINTED), 6))
    print("   from the exact ones (four decimals carried on leave an error in the fifth):")
    print(text(kernel_gradient(exact)))
    print(f"\n4. The update is w <- w - rate * dE/dw. At a rate of 0.1, w[0, 0] = {KERNEL_CORNER} becomes", end=" ")
    print(f"{updated_corner(0.1):.8f}.\n")
    more = deeper()
    print("5. One more convolution in front of o (6x6 image and kernels made up). It is given dE/do[i, j], the sum")
    print("   over m and n of delta[i-m, j-n] * w[m, n]; with its input in the place of o the rule is that of 3:")
    print(text(more.delta_o))
    print("   Gradient of the earlier kernel:")
    print(text(more.earlier))
    for row in more.report:
        print(f"   finite differences, {row.name} kernel: {row.checked} entries, {row.verdict} to {row.bound:.0e}")
    gradient, report = channels()
    print(
        "\n6. Several channels (two filters on three channels, all but the first made up): w[f, c] sees channel c"
    )
    print("   of the input and the deltas of map f alone, so w[0, 0] has the gradient of before:")
    print(text(gradient[0, 0]))
    row = report["w"]
    print(f"   finite differences: {row.checked} entries, {row.verdict} to {row.bound:.0e}\n")
    print("7. Another activation changes one factor. For the same inputs and deltas of H, with tanh, 1 - y^2:")
    print(text(deltas(tanh)))
    print("   and with ReLU, 1 above zero and 0 below:")
    print(text(deltas(relu)))


if __name__ == "__main__":
    main()
