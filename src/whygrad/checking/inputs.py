"""The verdict on one input's gradient, by the way that its size allows."""

from __future__ import annotations

import numpy as np

from whygrad.checking.judging import Context, place
from whygrad.checking.problem import Problem
from whygrad.checking.projections import check_by_projections, judge_all
from whygrad.checking.report import Row, Verdict

#: Up to so many entries each is compared; more are projected first.
SMALL = 2048
#: Where an input is so large that one value of the function takes long, only up to so many.
_LARGE, _FEW = 100_000, 64


def check_input(
    problem: Problem, name: str, context: Context, rng: np.random.Generator, *, full: bool | None = None
) -> Row:
    """Return the verdict on the gradient of one input.

    Args:
        problem: the function and what is claimed.
        name: the input.
        context: what its sentences may refer to.
        rng: draws directions and samples.
        full: compare every entry; only projections if False; None for what the size suggests.
    """
    x, gradient = problem.inputs[name], problem.claimed[name]
    if not np.isfinite(gradient).all():
        return _not_finite(problem, name)
    if not x.size:
        return Row(
            name=name, verdict=Verdict.RIGHT, shape=x.shape, checked=0, entries=0, method="nothing to compare"
        )
    dear = max(array.size for array in problem.inputs.values()) > _LARGE
    if full or (full is None and x.size <= (_FEW if dear else SMALL)):
        return judge_all(problem, name, context)
    return check_by_projections(problem, name, context, rng)


def _not_finite(problem: Problem, name: str) -> Row:
    gradient = problem.claimed[name]
    bad = np.flatnonzero(~np.isfinite(gradient))
    first = list(place(int(bad[0]), gradient.shape))
    count = f"{len(bad)} of {gradient.size} entries"
    said = f"{count} of its gradient are not finite, the first at {first}: {gradient.reshape(-1)[bad[0]]}"
    return Row(
        name=name,
        verdict=Verdict.NOT_FINITE,
        shape=gradient.shape,
        checked=gradient.size,
        entries=gradient.size,
        relative_error=float("inf"),
        bound=float("inf"),
        method="looking",
        findings=(said,),
    )
