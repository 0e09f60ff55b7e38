"""How noisy a function is: measured, since nobody knows what it computes inside."""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from whygrad.typing import Array

if TYPE_CHECKING:
    from whygrad.checking.problem import Problem

#: Points on a line, so close together that only rounding makes them differ from a parabola. If the function shows
#: too few different values there, since it rounds to few digits, they are spread out.
_POINTS, _SPACINGS, _DIFFERENT = 8, [2.0**-exponent for exponent in (44, 36, 28, 22, 17, 13, 9)], 4


def measured_noise(problem: Problem, name: str) -> float:
    """Return the standard deviation of the rounding errors of φ as one input moves.

    φ is evaluated at points of equal and tiny spacing along a random line. A smooth function vanishes from their
    differences of high order and leaves the noise, whose k-th differences have the variance σ²·(2k)!/(k!)².
    The line starts beside the point itself, where there may be a kink.

    Source: J. Moré and S. Wild, "Estimating computational noise" (2011), section 2.
    """
    floor = problem.precision / 4 * problem.magnitude
    rises = _rises(problem, name)
    if not np.isfinite(rises).all():
        return floor
    return max(floor, float(deviation(rises)))


def deviation(values: Array) -> Array:
    """Return the standard deviation of the rounding errors of values at eight equally spaced points, (8, ...).

    Example:
        >>> smooth = np.linspace(0, 1e-6, 8) ** 2
        >>> noise = 1e-10 * np.array([1, -1, 1, 1, -1, 1, -1, 1])
        >>> bool(deviation(smooth) < 1e-25), bool(1e-11 < deviation(smooth + noise) < 1e-9)
        (True, True)
    """
    levels, differences = [], values
    for k in range(1, _POINTS - 2):
        differences = np.diff(differences, axis=0)
        if k >= 3:
            gamma = factorial(k) ** 2 / factorial(2 * k)
            levels.append(np.sqrt(gamma * np.mean(differences**2, axis=0)))
    return np.median(levels, axis=0)


def _rises(problem: Problem, name: str) -> Array:
    """Return rises at equal steps, the smallest that show how the function rounds."""
    x = problem.inputs[name]
    direction = np.random.default_rng(x.size).uniform(0.5, 1.0, x.shape) * np.where(x < 0, -1, 1)
    for spacing in _SPACINGS:
        steps = problem.size(name) * spacing * np.arange(1, _POINTS + 1)
        with np.errstate(over="ignore", invalid="ignore"):
            rises = np.array(list(problem.rises(name, (x + step * direction for step in steps))))
        if len(np.unique(rises)) >= _DIFFERENT:
            break
    return rises


def typical(x: Array) -> float:
    """Return the size of an array's entries, as a power of two: 1 where all are 0.

    Example:
        >>> typical(np.array([3.0, -5.0]))
        4.0
    """
    largest = float(np.abs(x).max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return 1.0
    size = largest * float(np.sqrt(np.mean((x / largest) ** 2)))
    return float(2.0 ** np.clip(np.round(np.log2(size)), -300, 300))
