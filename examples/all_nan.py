"""All NaN: why a kernel update that looks right runs away, and what the right one is.

Two 3x3 "same" convolutions of one channel on a 256x256 image, a sigmoid after each, half the squared error, and

    kernel = kernel + sum(sum(rate * delta .* x_out))

Run it with ``python all_nan.py``; ``python all_nan.py 50`` trains for 50 steps instead of 1000.
"""

import sys
from typing import NamedTuple

import numpy as np

from whygrad import clip_by_value, half_squared_error
from whygrad.checking import compare
from whygrad.initializers import glorot_normal
from whygrad.ops import conv2d, sigmoid

SIGMOID_RATE, LINEAR_RATE, TOO_HIGH = 1e-4, 1e-5, 1e-2


class Layer(NamedTuple):
    """What one layer knows after a forward and a backward pass."""

    came_in: np.ndarray  # V of the layer before, or the image
    gave: np.ndarray  # V = g(h), which the update in question calls x_out
    delta: np.ndarray  # −∂E/∂h, 256x256, with the sign of Hertz, Krogh and Palmer
    gradient: np.ndarray  # ∂E/∂kernel, 3x3


class Training(NamedTuple):
    """The losses of a training, its last kernels, and where a number stopped being finite, if any did."""

    losses: list
    kernels: list
    first_bad: str | None
    cut: int  # entries that clipping changed, over all steps


def identity(h):
    """Return h and its pullback: a unit without a sigmoid."""
    return h, lambda dy: dy


def problem():
    """Return an image, the output of two known kernels as its target, and kernels to start from."""
    rng = np.random.default_rng(1)
    row, column = np.mgrid[:256, :256]
    image = (np.sin(row / 9) * np.cos(column / 13) > 0) + 0.5 * ((row - 128) ** 2 + (column - 100) ** 2 < 3600)
    image = image + rng.normal(0, 0.2, image.shape)
    image = ((image - image.mean()) / image.std())[None, None]
    edges = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])[None, None] / 2
    spots = np.array([[1.0, 1, 1], [1, -8, 1], [1, 1, 1]])[None, None] / 2
    _, layers = passes(image, np.zeros_like(image), [edges, spots])
    return image, layers[-1].gave, [glorot_normal(rng, (1, 1, 3, 3), np.float64) for _ in range(2)]


def passes(image, target, kernels, unit=sigmoid):
    """Run forward and backward, and return the loss and what each layer knows."""
    v, seen, layers = image, [], []
    for kernel in kernels:
        h, back_through_conv = conv2d(v, kernel, padding="same")
        came_in, (v, back_through_unit) = v, unit(h)
        seen.append((came_in, v, back_through_conv, back_through_unit))
    loss, slope = half_squared_error(v, target)
    for came_in, gave, back_through_conv, back_through_unit in reversed(seen):
        slope_h = back_through_unit(slope)  # ∂E/∂h
        slope, gradient, _ = back_through_conv(slope_h)
        layers.insert(0, Layer(came_in, gave, -slope_h, gradient))
    return loss, layers


def right(layer):
    """Return the 3x3 gradient: for each weight, −δ times the input that this weight saw, summed over positions."""
    return layer.gradient


def wrong(layer):
    """Return the update in question as a gradient: minus one scalar, the same for all nine weights."""
    return np.full_like(layer.gradient, -scalar(layer))


def scalar(layer):
    """Return sum(sum(delta .* x_out)), the one number that is added to all nine weights."""
    return float((layer.delta * layer.gave).sum())


def check(image, target, kernels, rule=right):
    """Compare all nine entries of each kernel's claimed gradient with finite differences of the loss."""
    named = {f"kernel {i}": kernel for i, kernel in enumerate(kernels, 1)}
    _, layers = passes(image, target, kernels)
    claimed = {name: rule(layer) for name, layer in zip(named, layers, strict=True)}
    return compare(
        lambda at: passes(image, target, list(at.values()))[0], claimed, named, rng=np.random.default_rng(0)
    )


def train(image, target, kernels, rule, rate, steps, *, unit=sigmoid, limit=np.inf):
    """Subtract rate · rule(layer) from each kernel, until the steps are over or a number is not finite."""
    losses, cut = [], 0
    for step in range(1, steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is looked for below
            loss, layers = passes(image, target, kernels, unit)
            gradients = {str(i): rule(layer) for i, layer in enumerate(layers)}
        losses.append(loss)
        made = [(f"output of layer {i}", layer.gave) for i, layer in enumerate(layers, 1)] + [("loss", loss)]
        made += [(f"update of kernel {i + 1}", gradients[str(i)]) for i in reversed(range(len(layers)))]
        for name, value in made:
            if not np.isfinite(value).all():
                return Training(losses, kernels, f"step {step}, {name}", cut)
        gradients, clipped = clip_by_value(gradients, limit)
        cut += clipped.entries
        kernels = [kernel - rate * gradients[str(i)] for i, kernel in enumerate(kernels)]
    return Training(losses, kernels, None, cut)


def show(title, training):
    """Print the loss at a few steps and how the training ended."""
    losses = training.losses
    at = sorted({n for n in (1, 2, 3, 5, 10, 100, 300, 1000) if n < len(losses)} | {len(losses)})
    print(f"  {title}: {training.first_bad or 'every number finite'}")
    print("    step" + "".join(f"{n:>11}" for n in at))
    print("    loss" + "".join(f"{losses[n - 1]:>11.5g}" for n in at))


def main(steps=1000):
    """Tell the story."""
    image, target, kernels = problem()
    loss, layers = passes(image, target, kernels)
    print(f"1. One step, loss {loss:.4f}. What the update adds to a kernel, and what it should add (rate left out)\n")
    for i, layer in enumerate(layers, 1):
        print(f"  kernel {i}: sum(sum(delta .* x_out)) = {scalar(layer):.4f}, the same for all nine weights; right:")
        print("\n".join("    " + "".join(f"{-g:>12.4f}" for g in row) for row in layer.gradient[0, 0]))
        unshifted = (layer.delta * layer.came_in).sum()
        print(f"    With the layer's input in place of its output: {unshifted:.4f}, which is the centre alone.\n")
    print("  The product must be with the layer's input, and shifted: weight (r, s) saw the input r−1 rows and s−1")
    print("  columns away, so each weight has a sum of its own, Σ delta[i, j] · x_in[i+r−1, j+s−1].\n")
    print("  Finite differences of the loss for all nine entries. They compare with the 3x3 gradient of the kernel,")
    print("  not with the 256x256 delta, which is one step short of it. First one layer, then both:")
    for title, rows in (
        ("one layer, right", check(layers[0].gave, target, kernels[1:])),
        ("two layers, right", check(image, target, kernels)),
        ("two layers, wrong", check(image, target, kernels, wrong)),
    ):
        for row in rows:
            print(f"    {title}: {row.checked} entries of {row.name}, relative error {row.relative_error:.1e}")
    zeros = passes(image, target, [np.zeros_like(kernel) for kernel in kernels])[1]
    print(f"  Do not check at kernels of zeros: there all of kernel 1's gradient is {abs(zeros[0].gradient).max():g},")
    print("  as nothing comes back through kernel 2. Start from small random numbers (Glorot's, for sigmoids).\n")
    print("2. The plus sign is not the mistake: delta of Hertz, Krogh and Palmer is −∂E/∂h, so adding descends.\n")
    print(f"3. The right gradient, subtracted {steps} times at the rate {SIGMOID_RATE:g}\n")
    show("sigmoids, right", train(image, target, kernels, right, SIGMOID_RATE, steps))
    print("\n4. The same rates with the wrong update\n")
    show("sigmoids, wrong", train(image, target, kernels, wrong, SIGMOID_RATE, min(steps, 300)))
    print("  Sigmoids stay between 0 and 1, so nothing overflows: the loss just stops falling. Without them")
    print(f"  (rate {LINEAR_RATE:g}) the outputs grow with the kernels and the sum with both, step after step:")
    show("no sigmoids, right", train(image, target, kernels, right, LINEAR_RATE, min(steps, 100), unit=identity))
    show("no sigmoids, wrong", train(image, target, kernels, wrong, LINEAR_RATE, min(steps, 100), unit=identity))
    print("  At one and the same rate the right gradient descends: the gradient is at fault, not the rate.\n")
    print(f"5. A rate that is too high ({TOO_HIGH:g}) is another mistake; clipping by value acts on that one alone\n")
    for rule, limit in ((right, np.inf), (right, 1.0), (right, 10.0), (wrong, 1.0)):
        run = train(image, target, kernels, rule, TOO_HIGH, min(steps, 100), limit=limit)
        show(f"{rule.__name__}, clipped at {limit:g} ({run.cut} of {18 * len(run.losses)} entries cut)", run)
    print("  No weight moves by more than rate x limit. That can save a right gradient from its rate; it cannot")
    print("  turn a wrong gradient into a right one.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
