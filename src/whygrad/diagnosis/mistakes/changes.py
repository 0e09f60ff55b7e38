"""Changes of an array that several operations' mistakes are made of: (array, probe) → array."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, fitting, mistake
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

Change: TypeAlias = Callable[[Array, Probe], Array]


def ones(a: Array, _: Probe) -> Array:
    """1 in place of every entry."""
    return np.ones_like(a)


def zeros(a: Array, _: Probe) -> Array:
    """0 in place of every entry."""
    return np.zeros_like(a)


def only(axis: int, index: int) -> Change:
    """Keep what has this index along an axis, 0 elsewhere: what is left when a loop overwrites or ends early."""

    def keep(a: Array, _: Probe) -> Array:
        fitting(a.ndim > axis and a.shape[axis] > 0)
        kept = np.zeros_like(a)
        place = [slice(None)] * a.ndim
        place[axis] = slice(index, None if index == -1 else index + 1)
        kept[tuple(place)] = a[tuple(place)]
        return kept

    return keep


def corner(last: bool) -> Change:
    """Keep the first or the last output position alone."""

    def keep(a: Array, _: Probe) -> Array:
        fitting(a.ndim == 4)
        kept, at = np.zeros_like(a), -1 if last else 0
        kept[:, :, at, at] = a[:, :, at, at]
        return kept

    return keep


def without_last(*axes: int) -> Change:
    """Leave out what stands last along these axes, as range(n − 1) does."""

    def keep(a: Array, _: Probe) -> Array:
        kept = a.copy()
        for axis in axes:
            fitting(a.ndim > abs(axis))
            place = [slice(None)] * a.ndim
            place[axis] = slice(-1, None)
            kept[tuple(place)] = 0
        return kept

    return keep


def flipped(*axes: int) -> Change:
    """Reverse these axes."""

    def flip(a: Array, _: Probe) -> Array:
        fitting(all(-a.ndim <= axis < a.ndim for axis in axes))
        return np.flip(a, axes)

    return flip


def transposed(first: int = -1, second: int = -2) -> Change:
    """Exchange two axes."""

    def swap(a: Array, _: Probe) -> Array:
        fitting(a.ndim >= 2)
        return np.swapaxes(a, first, second)

    return swap


def reshaped_transpose(first: int, second: int) -> Change:
    """Reshape to the shape of the transpose and leave the numbers where they are."""

    def reshape(a: Array, _: Probe) -> Array:
        shape = list(a.shape)
        shape[first], shape[second] = shape[second], shape[first]
        return a.reshape(shape)

    return reshape


def rolled(axis: int = 0, by: int = 1) -> Change:
    """Take the neighbour's entries along an axis."""
    return lambda a, _: np.roll(a, by, axis)


def repeated(axis: int, index: int = 0) -> Change:
    """Take one entry along an axis for all of them, as a left-over index does."""

    def take(a: Array, _: Probe) -> Array:
        fitting(a.ndim > abs(axis) and a.shape[axis] > 0)
        return np.broadcast_to(np.take(a, [index], axis), a.shape).copy()

    return take


def summed(*axes: int) -> Change:
    """Sum over axes and stand the sum in each entry."""
    return lambda a, _: np.broadcast_to(a.sum(axes, keepdims=True), a.shape).copy()


def total(a: Array, _: Probe) -> Array:
    """The sum of everything in every entry."""
    return np.full_like(a, a.sum())


def named(name: str) -> Callable[[Probe], Array]:
    """Return an input, dy or y of the probe itself."""
    return lambda p: {"dy": p.dy, "y": p.y, **p.inputs}[name]


def instead(name: str) -> Change:
    """Take another array of the call: "x", "y" or "dy"."""

    def take(a: Array, p: Probe) -> Array:
        other = {"dy": p.dy, "y": p.y, **p.inputs}.get(name)
        fitting(other is not None and other.shape == a.shape)
        assert other is not None
        return other

    return take


def times(name: str) -> Change:
    """Multiply by another array of the call."""

    def multiply(a: Array, p: Probe) -> Array:
        other = {"dy": p.dy, "y": p.y, **p.inputs}.get(name)
        fitting(other is not None and other.shape == a.shape)
        assert other is not None
        return a * other

    return multiply


def absolute(a: Array, _: Probe) -> Array:
    """Magnitudes."""
    return np.abs(a)


def clipped(a: Array, _: Probe) -> Array:
    """Clipped to −1 ... 1."""
    return np.clip(a, -1, 1)


def truncated(a: Array, _: Probe) -> Array:
    """Cut off to whole numbers, as writing to an array of integers does."""
    return np.trunc(a)


def sign(a: Array, _: Probe) -> Array:
    """Signs alone."""
    return np.sign(a)


def unit(a: Array, _: Probe) -> Array:
    """Divided by its norm."""
    return a / max(float(np.linalg.norm(a)), 1e-30)


def positive(a: Array, _: Probe) -> Array:
    """Negative entries set to 0, as if relu had been applied."""
    return np.maximum(a, 0)


def common(outputs: str, *, zero: dict[str, str] | None = None) -> tuple[Mistake, ...]:
    """Return what can go wrong with any gradient: not computed, another variable, no dy, one sample only."""
    zero = zero or {}
    found = []
    for name in outputs.split():
        label = zero.get(name, "dx_not_propagated" if name == "dx" else "weight_gradient_zero")
        also = "dx_all_zero_write_to_copy layer_not_trained weight_gradient_zero"
        also = " ".join(a for a in also.split() if a != label)
        found.append(mistake(label, name, "out", zeros, "is 0 everywhere: it was never computed or never written "
                             "to",
                             "compute it and return it", also=also))  # fmt: skip
        if name == "dx":
            own = "dx[n] += ..., with the sample's own index"
            found += [
                mistake("axis_wrong", "dx", "out", lambda a, _: a.sum(0),
                        "is summed over the batch: x has a gradient for each sample", own,
                        also="batch_sum_missing", rank=1),
                mistake("axis_wrong", "dx", "out", summed(0),
                        "is the sum over the batch, the same for every sample", own,
                        also="batch_sum_missing wrong_loop_variable_as_index", rank=1),
            ]  # fmt: skip
    every = (
        mistake("upstream_gradient_not_multiplied", outputs, "dy", ones,
                "is the local derivative alone: dy is left out",
                "multiply by dy", rank=1),
        mistake("overwritten_in_batch_loop", outputs, "dy", only(0, -1), "comes from the last sample alone",
                "add up over the batch: += in the loop over the samples", rank=1),
        mistake("early_return_in_loop", outputs, "dy", only(0, 0), "comes from the first sample alone",
                "return after the loop, not in it", also="overwritten_in_batch_loop wrong_loop_variable_as_index",
                rank=1),
        mistake("wrong_loop_variable_as_index", outputs, "dy", repeated(0),
                "takes the dy of the first sample for every sample",
                "index dy by the loop's own variable: dy[n]", rank=2),
        mistake("wrong_loop_variable_as_index", outputs, "dy", repeated(0, -1),
                "takes the dy of the last sample for every sample",
                "index dy by the loop's own variable: dy[n]", rank=2),
        mistake("clipping_in_gradient", outputs, "out", clipped, "is clipped to −1 ... 1",
                "leave clipping to the update", rank=3),
        mistake("sign_error", outputs, "out", absolute, "has lost its signs", "leave out np.abs", rank=3),
        mistake("integer_truncation", outputs, "out", truncated, "is cut off to whole numbers",
                "np.zeros(shape), without an integer dtype", rank=1),
        mistake("extra_factor_in_delta", outputs, "dy", lambda a, _: a * a, "contains dy twice",
                "multiply by dy once", rank=2),
        mistake("relu_mask_wrong_tensor", outputs, "dy", positive, "drops every negative dy",
                "let dy through as it is: its sign has no say", rank=2),
        mistake("clipping_in_gradient", outputs, "dy", sign, "uses the signs of dy alone", "multiply by dy itself",
                rank=3),
    )  # fmt: skip
    return (*found, *every)
