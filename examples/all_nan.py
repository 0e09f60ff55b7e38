"""All NaN: why a kernel update that looks right runs away, and what the right one is.

Two 3x3 "same" convolutions of one channel on a 256x256 image, a sigmoid after each, half the squared error, and

    kernel = kernel + sum(sum(0.01*eta * delta .* x_out))

Below, rate is the 0.01*eta. ``python all_nan.py 50`` trains for 50 steps instead of 1000.
"""

import sys
from typing import NamedTuple

import numpy as np

from whygrad import clip_by_value, half_squared_error
from whygrad.checking import check_gradient
from whygrad.initializers import glorot_normal
from whygrad.ops import conv2d, sigmoid

SIGMOID_RATE, LINEAR_RATE, TOO_HIGH = 1e-4, 1e-5, 1e-2


class Layer(NamedTuple):
    """What one layer knows after a forward and a backward pass."""

    came_in: np.ndarray  # the image, or what the layer before gave
    gave: np.ndarray  # V = g(h), the x_out of the update in question
    delta: np.ndarray  # −∂E/∂h, 256x256, with the sign of Hertz, Krogh and Palmer
    gradient: np.ndarray  # ∂E/∂kernel, 3x3


class Training(NamedTuple):
    """The losses of a training and its last kernels."""

    losses: list
    kernels: list
    first_bad: str | None  # where a number first was not finite, if one was
    cut: int  # entries that clipping changed, over all steps


def problem():
    """Return an image, the output of two known kernels as its target, and kernels to start from."""
    row, column = np.mgrid[:256, :256]
    image = (np.sin(row / 9) * np.cos(column / 13) > 0) + 0.5 * ((row - 128) ** 2 + (column - 100) ** 2 < 3600)
    image = image + np.random.default_rng(0).normal(0, 0.2, image.shape)
    image = ((image - image.mean()) / image.std())[None, None]
    edges = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])[None, None] / 2
    spots = np.array([[1.0, 1, 1], [1, -8, 1], [1, 1, 1]])[None, None] / 2
    target = passes(image, np.zeros_like(image), [edges, spots])[1][-1].gave
    rng = np.random.default_rng(1)
    return image, target, [glorot_normal(rng, (1, 1, 3, 3), np.float64) for _ in range(2)]


def no_unit(h):
    """Return h as it is, and its pullback."""
    return h, lambda dy: dy


def passes(image, target, kernels, unit=sigmoid):
    """Run forward and backward; return the loss and what each layer knows."""
    v, seen, layers = image, [], []
    for kernel in kernels:
        h, through_conv = conv2d(v, kernel, padding="same")
        came_in, (v, through_unit) = v, unit(h)
        seen.append((came_in, v, through_conv, through_unit))
    loss, dv = half_squared_error(v, target)
    for came_in, gave, through_conv, through_unit in reversed(seen):
        dh = through_unit(dv)
        dv, gradient, _ = through_conv(dh)
        layers.insert(0, Layer(came_in, gave, -dh, gradient))
    return loss, layers


def scalar(layer):
    """Return sum(sum(delta .* x_out)), the one number that is added to all nine weights."""
    return float((layer.delta * layer.gave).sum())


def wrong(layer):
    """Return the update in question in the form of a gradient, to be subtracted."""
    return np.full_like(layer.gradient, -scalar(layer))


def right(layer):
    """Return the 3x3 gradient."""
    return layer.gradient


def check(image, target, kernels, rule=right):
    """Compare all nine entries of each kernel's claimed gradient with finite differences of the loss."""
    named = {f"kernel {i}": kernel for i, kernel in enumerate(kernels, 1)}
    claimed = dict(zip(named, map(rule, passes(image, target, kernels)[1]), strict=True))
    return check_gradient(lambda at: passes(image, target, at.values())[0], claimed, named)


def train(image, target, kernels, rule, rate, steps, *, unit=sigmoid, limit=np.inf):
    """Subtract rate · rule(layer) from each kernel, until the steps are over or a number is not finite."""
    losses, cut = [], 0
    for step in range(1, steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is looked for below
            loss, layers = passes(image, target, kernels, unit)
            updates = {f"update of kernel {i}": rule(layer) for i, layer in enumerate(layers, 1)}
        losses.append(loss)
        outputs = {f"output of layer {i}": layer.gave for i, layer in enumerate(layers, 1)}
        for name, value in (outputs | {"loss": loss} | dict(reversed(updates.items()))).items():
            if not np.isfinite(value).all():
                return Training(losses, kernels, f"step {step}, {name}", cut)
        updates, clipped = clip_by_value(updates, limit)
        cut += clipped.entries
        kernels = [kernel - rate * update for kernel, update in zip(kernels, updates.values(), strict=True)]
    return Training(losses, kernels, None, cut)


def show(title, training):
    """Print how a training ended and the loss at a few of its steps."""
    losses = training.losses
    at = sorted({n for n in (1, 2, 3, 10, 50, 100, 300) if n < len(losses)} | {len(losses)})
    bad = f"first number that is not finite: {training.first_bad}" if training.first_bad else "all numbers finite"
    print(f"  {title}: {bad}")
    print("    step" + "".join(f"{n:>10}" for n in at))
    print("    loss" + "".join(f"{losses[n - 1]:>10.4g}" for n in at))


def main(steps=1000):
    """Tell the story."""
    image, target, kernels = problem()
    loss, layers = passes(image, target, kernels)
    print(f"1. At a loss of {loss:.4f}: what is added to a kernel (times the rate), and what should be\n")
    for i, layer in enumerate(layers, 1):
        print(f"  kernel {i}: sum(sum(delta .* x_out)) = {scalar(layer):.4f} for all nine weights; right would be")
        print("\n".join("    " + "".join(f"{-g:>10.4f}" for g in row) for row in layer.gradient[0, 0]))
        centre = (layer.delta * layer.came_in).sum()
        print(f"    With the layer's input in place of its output: {centre:.4f}, the centre and no more.\n")
    print("  Each weight needs a sum of its own, with the input that it saw: for weight (r, s), from -1 to 1,")
    print("  the sum over i and j of delta[i, j] * x_in[i+r, j+s]. Finite differences of the loss prove it.")
    print("  Compare them with this 3x3 gradient, not with the 256x256 delta. One layer first, then two:\n")
    for title, report in (
        ("one layer, right ", check(layers[0].gave, target, kernels[1:])),
        ("two layers, right", check(image, target, kernels)),
        ("two layers, wrong", check(image, target, kernels, wrong)),
    ):
        for row in report:
            numbers = f"{row.checked} entries, largest error {row.relative_error:.0e}"
            print(f"    {title}: {row.name}, {numbers}: {row.verdict}")
            print("".join(f"      {said}\n" for said in row.findings), end="")
    at_zeros = passes(image, target, [np.zeros_like(kernel) for kernel in kernels])[1][0].gradient
    print("\n  Start from small random kernels (Glorot's suit sigmoids). At zeros this check sees less: nothing")
    print(f"  comes back through a kernel 2 of zeros, so all of kernel 1's gradient is {abs(at_zeros).max():g}.\n")
    print("2. The plus sign is right: the delta of Hertz, Krogh and Palmer is -dE/dh, so adding it descends.\n")
    print(f"3. The right update at the rate {SIGMOID_RATE:g}\n")
    show("right", train(image, target, kernels, right, SIGMOID_RATE, steps))
    print("\n4. The wrong update at the same rate, then both updates without the sigmoids\n")
    show("wrong", train(image, target, kernels, wrong, SIGMOID_RATE, min(steps, 100)))
    print("  A sigmoid's output and slope are bounded: the wrong update stalls, it does not give NaN. NaN needs")
    print("  something without a bound, such as layers without a sigmoid or a sigmoid written e^h / (1 + e^h):\n")
    for rule, rate in ((right, 1.0), (wrong, 1.0), (wrong, 0.1), (right, 10.0)):
        run = train(image, target, kernels, rule, rate * LINEAR_RATE, min(steps, 50), unit=no_unit)
        show(f"{rule.__name__}, no sigmoids, rate {rate * LINEAR_RATE:g}", run)
    print("  At the first rate only the wrong update fails, and at a tenth of it the loss still climbs: there the")
    print("  gradient is at fault. At ten times the rate the right update fails as well: there it is the rate.\n")
    print(f"5. A rate that is too high ({TOO_HIGH:g}), and clipping every entry of the gradient to a limit\n")
    for rule, limit in ((right, np.inf), (right, 1.0), (right, 10.0), (wrong, 1.0)):
        run = train(image, target, kernels, rule, TOO_HIGH, min(steps, 50), limit=limit)
        show(f"{rule.__name__}, limit {limit:g}, {run.cut} of {18 * len(run.losses)} entries cut", run)
    print("  Clipping keeps each weight from moving by more than rate * limit a step. A limit small enough rescues")
    print("  the right gradient from its rate. It does not make the wrong one right, it only slows it down.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
