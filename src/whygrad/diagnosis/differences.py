"""Gradients of a person's own function, by central differences of two steps, extrapolated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whygrad.typing import Array

#: Steps relative to the entry's size; the error of the extrapolation is of order h⁴.
STEP = 1e-3
#: The other step, relative to the first, and how much two slopes may differ before it is taken.
NEAR, KINK = 2e-5, 1e-4


def differences(value: Callable[[Array], float], at: Array, step: float = STEP) -> Array:
    """Return the gradient of a number with respect to every entry of an array.

    Four values for each entry: (8 (f₁ − f₋₁) − (f₂ − f₋₂)) / 12 h, where f_k = f(x + k h).

    Example:
        >>> differences(lambda x: float((x**3).sum()), np.array([1.0, 2.0])).round(6)
        array([ 3., 12.])
    """
    gradient = np.zeros_like(at, dtype=np.float64)
    for index in np.ndindex(at.shape):
        gradient[index] = _slope(value, at, index, step)
    return gradient


def _slope(value: Callable[[Array], float], at: Array, index: tuple[int, ...], step: float) -> float:
    """Return one entry's slope; where a kink lies within reach of the step, with one that does not reach it."""
    h = step * max(1.0, abs(float(at[index])))

    def moved(k: float) -> float:
        x = np.array(at, dtype=np.float64)
        x[index] += k * h
        return value(x)

    a, b, c, d = moved(1), moved(-1), moved(2), moved(-2)
    slope = (8 * (a - b) - (c - d)) / (12 * h)
    if abs((a - b) / (2 * h) - (c - d) / (4 * h)) <= KINK * max(abs(slope), abs(c - d) / (4 * h)):
        return slope
    near = NEAR
    return (8 * (moved(near) - moved(-near)) - (moved(2 * near) - moved(-2 * near))) / (12 * near * h)


def derivative(f: Callable[[Array], Array], x: Array, step: float = STEP) -> Array:
    """Return f′ of a function that acts entry by entry, at all entries at once.

    Example:
        >>> derivative(np.sin, np.array([0.0])).round(9)
        array([1.])
    """
    h = step * np.maximum(1.0, np.abs(x))
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)
