"""Gradients of a person's own function, by central differences of two steps, extrapolated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whygrad.typing import Array

#: Steps relative to the entry's size; the error of the extrapolation is of order h⁴.
STEP = 1e-3


def differences(value: Callable[[Array], float], at: Array, step: float = STEP) -> Array:
    """Return the gradient of a number with respect to every entry of an array.

    Four values for each entry: (8 (f₁ − f₋₁) − (f₂ − f₋₂)) / 12 h, where f_k = f(x + k h).

    Example:
        >>> differences(lambda x: float((x**3).sum()), np.array([1.0, 2.0])).round(6)
        array([ 3., 12.])
    """
    gradient = np.zeros_like(at, dtype=np.float64)
    for index in np.ndindex(at.shape):
        h = step * max(1.0, abs(float(at[index])))
        moved = []
        for k in (1, -1, 2, -2):
            x = np.array(at, dtype=np.float64)
            x[index] += k * h
            moved.append(value(x))
        gradient[index] = (8 * (moved[0] - moved[1]) - (moved[2] - moved[3])) / (12 * h)
    return gradient


def derivative(f: Callable[[Array], Array], x: Array, step: float = STEP) -> Array:
    """Return f′ of a function that acts entry by entry, at all entries at once.

    Example:
        >>> derivative(np.sin, np.array([0.0])).round(9)
        array([1.])
    """
    h = step * np.maximum(1.0, np.abs(x))
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)
