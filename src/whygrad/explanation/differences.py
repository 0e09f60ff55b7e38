"""Finite differences of the loss in one number of a network, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whygrad.checking.entries import settle_entry
from whygrad.checking.problem import Problem
from whygrad.checking.report import Verdict
from whygrad.checking.unrolled import Branch, OtherDrawsError, flat
from whygrad.explanation.entry import Difference
from whygrad.explanation.trace import Trace
from whygrad.typing import Array

#: How far a gradient may be from its difference, relative to it, besides the difference's own bound.
_TOLERANCE = 1e-7
#: The first step, relative to the number or to 1: small, since a network has kinks everywhere.
_STEP, _GOAL = 2.0**-13, 1e-9
_EPS = float(np.finfo(np.float64).eps)


def of_parameter(trace: Trace, name: str, index: tuple[int, ...], claim: float) -> Difference | None:
    """Return the slope of E in one entry of a parameter beside what is claimed."""
    users = [i for i, step in enumerate(trace.unrolled.steps) if name in step.reads.values()]

    def changed(array: Array) -> Branch:
        return Branch(params={name: array})

    return _difference(trace, trace.params[name], index, claim, changed, min(users, default=0))


def of_value(trace: Trace, name: str, index: tuple[int, ...], claim: float) -> Difference | None:
    """Return the slope of E in one entry of an input or of a layer's value beside what is claimed."""
    ref = trace.refs[name]
    users = [i for i, step in enumerate(trace.unrolled.steps) if ref in flat(step.inputs)]

    def changed(array: Array) -> Branch:
        return Branch(values={ref: array})

    return _difference(trace, trace.values[name].array, index, claim, changed, min(users, default=0))


def _difference(
    trace: Trace, at: Array, index: tuple[int, ...], claim: float, changed: Callable[[Array], Branch], first: int
) -> Difference | None:
    unrolled = trace.unrolled

    def error(_: str, entry: Array) -> float:
        moved = at.copy()
        moved[index] = entry[0]
        branch = changed(moved)
        unrolled.run(branch, first, len(unrolled.steps))
        return float(trace.loss(unrolled.at(branch, unrolled.output), trace.target)[0])

    before = float(at[index])
    if not np.isfinite([before, trace.error, claim]).all():
        return None
    # A loss near 0 is often what remains of numbers of about 1, whose rounding then shows on no small scale.
    precision = 4 * _EPS * max(1.0, 1 / max(abs(trace.error), _EPS))
    entry, claimed = {"entry": np.array([before])}, {"entry": np.array([claim])}
    problem = Problem(entry, error, trace.error, 1.0, claimed, precision=precision)
    start = _STEP * float(2.0 ** np.round(np.log2(max(abs(before), 0.125))))
    try:
        found = settle_entry(problem, "entry", 0, start, _GOAL * max(abs(claim), 1e-3), trace.sign * claim)
    except OtherDrawsError:
        return None
    sides = sorted((found.left, found.right)) if found.kink else [found.value, found.value]
    bound = found.side_bound if found.kink else found.bound
    allowed = 2 * bound + _TOLERANCE * max(abs(trace.sign * claim), 1e-6)
    inside = sides[0] - allowed <= trace.sign * claim <= sides[1] + allowed
    if not np.isfinite(found.value) or found.bound > 0.1 * max(abs(claim), abs(found.value), 1e-9):
        verdict = Verdict.UNDECIDED if found.bound > 1e-9 else Verdict.RIGHT if inside else Verdict.WRONG
    elif not inside:
        verdict = Verdict.WRONG
    else:
        verdict = Verdict.KINK if found.kink else Verdict.RIGHT
    left, right = trace.sign * found.left, trace.sign * found.right
    return Difference(trace.sign * found.value, bound, verdict, left, right)
