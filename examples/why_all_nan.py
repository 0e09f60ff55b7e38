"""All NaN, asked of the diagnosis: is it the gradient or the learning rate, and what does clipping do?

The training of ``all_nan.py``, two 3x3 "same" convolutions of one channel on a 256x256 image, as functions of its
kernels and a batch, and the questions put one after the other.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import all_nan
from whygrad import diagnose_training
from whygrad.diagnosis.training import curvature, training_of

SIZE = 64  # the middle of the image, so that all of it takes seconds


def problem():
    """Return an image, its target, and kernels by name."""
    image, target, kernels = all_nan.problem()
    middle = slice(128 - SIZE // 2, 128 + SIZE // 2)
    image, target = (a[..., middle, middle] for a in (image, target))
    return (image, target), {f"kernel {i}": kernel for i, kernel in enumerate(kernels, 1)}


def training(rule, unit):
    """Return the loss and the gradients of a rule, for networks with a unit."""

    def loss(params, batch):
        return all_nan.passes(*batch, list(params.values()), unit)[0]

    def gradients(params, batch):
        layers = all_nan.passes(*batch, list(params.values()), unit)[1]
        return {name: rule(layer) for name, layer in zip(params, layers, strict=True)}

    return {"loss": loss, "gradients": gradients}


def clipped(gradients, limit, rate):
    """Return a step that cuts every entry of a gradient to a limit."""

    def step(params, batch):
        found = gradients(params, batch)
        return {name: params[name] - rate * np.clip(found[name], -limit, limit) for name in params}

    return step


def main():
    """Ask."""
    batch, params = problem()
    given = {"params": params, "batch": batch}
    for unit, name, rate in ((all_nan.sigmoid, "with sigmoids", 1e-3), (all_nan.no_unit, "without", 1e-4)):
        print(f"1. The update in question, {name}, rate {rate:g}: gradient or learning rate?\n")
        print(diagnose_training(**given, **training(all_nan.wrong, unit), learning_rate=rate), "\n")
    print("2. With the right gradient: which rates are stable?\n")
    right = training(all_nan.right, all_nan.no_unit)
    limit = curvature(training_of(**given, **right, learning_rate=1e-4)).limit
    print(f"  up to 2/lambda = {limit:.3g} at the start\n")
    for rate in (0.2 * limit, 10 * limit):
        told = diagnose_training(**given, **right, learning_rate=float(f"{rate:.2g}"))
        print(f"  at {rate:.2g}: {told.cause}; {told.trials[0]}\n")
    print("3. Ten times over the limit, the whole answer, with the place of the first number that is not finite:\n")
    print(diagnose_training(**given, **right, learning_rate=float(f"{10 * limit:.2g}")), "\n")
    print("4. Clipping every entry to 1 keeps the wrong update finite, and does not make it right:\n")
    wrong = training(all_nan.wrong, all_nan.no_unit)
    rate = float(f"{10 * limit:.2g}")
    told = diagnose_training(**given, **wrong, step=clipped(wrong["gradients"], 1.0, rate), learning_rate=rate)
    print(f"  {told.cause}; {told.trials[0] if told.trials else ''}")
    told = diagnose_training(**given, **right, step=clipped(right["gradients"], 1.0, rate), learning_rate=rate)
    print(f"  with the right gradient, clipped: {told.cause}; {told.trials[0]}")


if __name__ == "__main__":
    main()
