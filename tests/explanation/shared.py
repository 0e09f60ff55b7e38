"""Calls of operations and losses, traced, for what is shown of every one of them."""

import numpy as np

from whygrad.explanation.terms import Call
from whygrad.losses.registry import LOSSES
from whygrad.ops.registry import OPERATIONS


def traced_operation(name, sample, rng):
    """Return a call of an operation with a random dy, and its gradients by name."""
    y, pullback = OPERATIONS[name].run(sample)
    dy = rng.normal(size=y.shape)
    back = pullback(dy)
    gradients = dict(zip(sample.inputs, back if isinstance(back, tuple) else (back,), strict=False))
    gradients = {key: array for key, array in gradients.items() if array is not None}
    constants = dict(zip(("running_mean", "running_var"), sample.constants, strict=False))
    return Call(name, sample.inputs, sample.options, y, dy, gradients, constants, pullback)


def traced_loss(name, sample):
    """Return a call of a loss."""
    error, dz = LOSSES[name].function(sample.prediction, sample.target, **sample.options)
    constants = {"t": np.asarray(sample.target)}
    return Call(name, {"z": sample.prediction}, sample.options, np.array(error), None, {"z": dz}, constants)


def arrays_of(call):
    """Return the value and the gradients of a call by the names that rules have."""
    return {"y": call.y, **{f"d{name}": array for name, array in call.gradients.items()}}


def some(rng, shape, count):
    """Return every index of a small array, or some of a large one."""
    every = list(np.ndindex(shape))
    return every if len(every) <= count else [every[k] for k in rng.choice(len(every), count, replace=False)]
