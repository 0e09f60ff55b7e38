"""What gradients are of: which number, where nobody said so, whether anything changes it, and which input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad.checking.problem import Problem
from whygrad.checking.projections import project
from whygrad.checking.report import Row, Verdict
from whygrad.typing import Array

#: Numbers that people make of an array, with their gradients with respect to it.
_OBJECTIVES: dict[str, Callable[[Array], Array]] = {
    "the sum of the outputs": np.ones_like,
    "the mean of the outputs": lambda y: np.full_like(y, 1 / max(y.size, 1)),
    "half the sum of the squared outputs": lambda y: y,
    "the sum of the squared outputs": lambda y: 2 * y,
    "the mean of the squared outputs": lambda y: 2 * y / max(y.size, 1),
}


def objective_of(
    value: Callable[[str, Array], Any],
    inputs: Mapping[str, Array],
    y: Array,
    claimed: Mapping[str, Array | None],
    rng: np.random.Generator,
) -> str | None:
    """Return the number whose gradients are those claimed, in words, if it is one of the usual ones.

    Args:
        value: gives the outputs with one input replaced.
        inputs: where.
        y: the outputs there.
        claimed: gradients by name.
        rng: draws directions.
    """
    usable = {
        name: gradient
        for name, gradient in claimed.items()
        if gradient is not None
        and gradient.shape == inputs[name].shape
        and gradient.size
        and np.isfinite(gradient).all()
    }
    for words, gradient_of in _OBJECTIVES.items():
        problem = Problem(inputs, value, y, gradient_of(y), usable)
        if usable and all(_agrees(problem, name, rng) for name in usable):
            return words
    return None


def _agrees(problem: Problem, name: str, rng: np.random.Generator) -> bool:
    for _ in range(2):
        v = rng.normal(size=problem.inputs[name].shape)
        slack = 1e-6 * float(np.linalg.norm((problem.claimed[name] * v).ravel()))
        seen = project(problem, name, v, slack)
        if not slack or abs(seen.difference) > slack + 2 * seen.bound:
            return False
    return True


_NOTHING_CHANGES_IT = (
    "nothing changes f: its true gradient is zero whatever the inputs, as that of the sum of a softmax or of a "
    "normalised batch, so that any backward pass that gives zero would pass; weight the outputs with random numbers"
)
_NOTHING_PASSES = (
    "with this cotangent the true gradient is zero, as with a constant one through a softmax or a normalised "
    "batch, so that nothing was tested; leave cotangent out, and a random one is drawn"
)


def degenerate(problem: Problem, rows: list[Row], rng: np.random.Generator, *, chosen: bool) -> list[Row]:
    """Return the rows, those at fault where nothing was tested: zero was claimed, and nothing else could be true.

    Args:
        problem: the function and what is claimed.
        rows: what came out.
        rng: draws another cotangent, and other inputs.
        chosen: whether the user chose the cotangent.
    """
    silent = [row.name for row in rows if row.entries and _is_zero(problem, row)]
    if problem.y.ndim and chosen:
        silent, said = [name for name in silent if _another_passes(problem, name, rng)], _NOTHING_PASSES
    elif not problem.y.ndim and len(silent) == len(rows) and not _changes_elsewhere(problem, rng):
        said = _NOTHING_CHANGES_IT
    else:
        return rows
    return [replace(r, verdict=Verdict.FAULTY, findings=(said,)) if r.name in silent else r for r in rows]


def _is_zero(problem: Problem, row: Row) -> bool:
    """Return whether zero is claimed, and nothing else measured."""
    if row.verdict not in (Verdict.RIGHT, Verdict.UNDECIDED) or row.worst is None:
        return False
    largest = float(np.abs(problem.claimed[row.name]).max(initial=0.0))
    return bool(np.isfinite(row.worst.bound)) and largest <= max(problem.floor(row.name), row.worst.bound)


def _changes_elsewhere(problem: Problem, rng: np.random.Generator) -> bool:
    """Return whether the function changes far from the point, as a loss does whose margins are all met there."""
    for name in problem.claimed:
        x = problem.inputs[name]
        far = [problem.rise(name, x + 3 * problem.size(name) * rng.normal(size=x.shape)) for _ in range(4)]
        if float(np.ptp(far)) > 1e3 * problem.noise(name) or abs(far[0]) > 1e3 * problem.noise(name):
            return True
    return False


def _another_passes(problem: Problem, name: str, rng: np.random.Generator) -> bool:
    """Return whether a random cotangent gives the input a gradient."""
    x = problem.inputs[name]
    other = problem.under(rng.normal(size=problem.y.shape), {name: np.zeros_like(x)})
    v = rng.normal(size=x.shape)
    seen = project(other, name, v, 0.0)
    return abs(seen.numeric) > other.floor(name) + 2 * seen.bound


def swapped(problem: Problem, rows: list[Row], rng: np.random.Generator) -> list[Row]:
    """Return the rows, with a sentence where two wrong gradients are right in each other's place."""
    wrong = [row.name for row in rows if row.verdict is Verdict.WRONG and row.name in problem.claimed]
    said: dict[str, str] = {}
    for i, one in enumerate(wrong):
        for other in wrong[:i]:
            if problem.claimed[one].shape != problem.claimed[other].shape:
                continue
            exchanged = {one: problem.claimed[other], other: problem.claimed[one]}
            if all(_agrees(problem.under(problem.dy, exchanged), name, rng) for name in exchanged):
                sentence = f"the gradients of {other} and {one} are in each other's place: return them in order"
                said |= {one: sentence, other: sentence}
    return [replace(row, findings=(said[row.name],)) if row.name in said else row for row in rows]
