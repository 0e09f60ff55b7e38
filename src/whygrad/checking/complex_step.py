"""Slopes from imaginary steps: nothing is subtracted, so that they are exact to rounding, at one value of φ each.

φ(x + ih) = φ(x) + ih·φ′(x) − …, and the imaginary part over h is the slope, for h as small as one likes. It takes a
function that computes with complex numbers what it computes with real ones, which ``abs`` or a cast does not.

Source: W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions" (1998).
"""

from __future__ import annotations

import warnings

import numpy as np

from whygrad.checking.problem import Problem
from whygrad.errors import CheckError
from whygrad.typing import Array, IntArray

_STEP = 1e-30
#: The rounding of a slope, relative to the sum of its terms without their signs.
_ROUNDING = 1e-14


def imaginary_slopes(problem: Problem, name: str, indices: IntArray) -> tuple[Array, Array]:
    """Return the slopes of φ in some entries of an input, and bounds for their rounding errors."""
    work = problem.inputs[name].astype(np.complex128)
    flat = work.reshape(-1)
    found, terms = np.empty(len(indices)), np.empty(len(indices))
    for i, index in enumerate(indices.tolist()):
        before = flat[index]
        flat[index] = before + 1j * _STEP
        outputs = problem.outputs(name, work)
        found[i] = _slope(problem, outputs)
        terms[i] = float(np.abs(problem.dy * outputs.imag).sum()) / _STEP
        flat[index] = before
    return found, _ROUNDING * terms


def imaginary_slope_along(problem: Problem, name: str, v: Array) -> float | None:
    """Return the slope of φ along a direction; None if the function refuses complex numbers or loses parts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # among them the one that an imaginary part is lost
            outputs = problem.outputs(name, problem.inputs[name] + 1j * _STEP * v)
    except (CheckError, Warning):
        return None
    return _slope(problem, outputs) if np.iscomplexobj(outputs) else None


def _slope(problem: Problem, outputs: Array) -> float:
    if not np.isfinite(outputs).all():
        return float("nan")
    return float(np.vdot(problem.dy, outputs.imag) / _STEP)
