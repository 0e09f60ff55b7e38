"""What rounding may do to a gradient, most of all to one in a coarser float type than the differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.checking.backward import Backward, as_gradient
from whygrad.checking.problem import Problem
from whygrad.typing import Array

#: How many times the measured effect of rounding is allowed, and how often it is measured.
_TIMES, _DRAWS = 16, 2
#: What rounding moves at most, in units in the last place of the largest entry.
_AT_MOST = 1e4


def allowance(
    backward: Backward,
    inputs: Mapping[str, Any],
    dy: Array,
    name: str,
    problem: Problem,
    rng: np.random.Generator,
) -> Array:
    """Return how far each entry of a gradient may be from the truth by the rounding errors of whoever computed it.

    A good algorithm gives the right answer to inputs that differ from the given ones by some rounding errors. What
    rounding the inputs and dy does to the gradient is measured, by moving each entry by up to one unit in the last
    place, and some times that is allowed. Entries that move by much more are at a kink: that is no rounding.
    """
    claimed = problem.claimed[name]
    if not backward.again or not claimed.size or not np.isfinite(claimed).all():
        return np.zeros(claimed.shape)
    reals = [array.dtype for array in (dy, *map(np.asarray, inputs.values())) if array.dtype.kind == "f"]
    eps = max(float(np.finfo(real).eps) for real in reals)
    coarse, size = eps > np.finfo(np.float64).eps, np.abs(claimed)
    nothing = 1e-3 * problem.floor(name)
    moves = np.zeros(claimed.shape)
    for _ in range(_DRAWS):
        moved = {key: _nearby(np.asarray(x), eps, rng) for key, x in inputs.items()}
        again = backward(moved, _nearby(dy, eps, rng))[name]
        if again is not None and np.shape(again) == claimed.shape:
            by = np.abs(as_gradient(again) - claimed)
            moves = np.maximum(moves, np.where(by <= np.maximum(_AT_MOST * eps * size.max(), nothing), by, 0.0))
    if coarse or size.max() <= nothing:  # the entries share their rounding
        return np.full(claimed.shape, _TIMES * max(float(moves.max()), 2 * eps * float(size.max()) * coarse))
    share = min(float((moves / np.maximum(size, 1e-300)).max()), _AT_MOST * eps)
    return _TIMES * np.maximum(moves, share * size)


def _nearby(x: Array, eps: float, rng: np.random.Generator) -> Array:
    if x.dtype.kind != "f":
        return x
    return (x * (1 + eps * rng.uniform(-1, 1, x.shape))).astype(x.dtype)
