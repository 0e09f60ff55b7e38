"""What rounding may do to a gradient that was computed in a coarser float type than the differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.checking.functions import Backward, as_gradient
from whygrad.typing import Array

#: How many times the measured effect of rounding is allowed, and how often it is measured.
_TIMES, _DRAWS = 8, 3


def allowance(
    backward: Backward,
    inputs: Mapping[str, Any],
    dy: Array,
    name: str,
    claimed: Array,
    rng: np.random.Generator,
) -> float:
    """Return how far an entry of a float32 gradient may be from the truth; 0 for float64.

    A good algorithm gives the right answer to inputs that differ from the given ones by some rounding errors. What
    rounding the inputs does to the gradient is measured, by moving each entry by up to one unit in the last place,
    and some times that is allowed, but no less than some units in the last place of the gradient's largest entry.
    """
    coarse = dy.dtype == np.float32 or any(np.asarray(x).dtype == np.float32 for x in inputs.values())
    if not coarse or not backward.callable:
        return 0.0
    eps = float(np.finfo(np.float32).eps)
    moves = [2 * eps * float(np.abs(claimed).max(initial=0.0))]
    for _ in range(_DRAWS):
        moved = {key: _nearby(np.asarray(x), eps, rng) for key, x in inputs.items()}
        again = backward(moved, dy.copy())[name]
        if again is not None and np.shape(again) == claimed.shape:
            moves.append(float(np.abs(as_gradient(again) - claimed).max(initial=0.0)))
    return _TIMES * max(moves)


def _nearby(x: Array, eps: float, rng: np.random.Generator) -> Array:
    if x.dtype.kind != "f":
        return x
    return (x * (1 + eps * rng.uniform(-1, 1, x.shape))).astype(x.dtype)
