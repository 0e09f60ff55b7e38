"""Single entries of a gradient beside their differences: all together first, then those in doubt one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from whygrad.checking.complex_step import imaginary_slopes
from whygrad.checking.problem import Problem
from whygrad.checking.steps import RATIO, Settled, Slopes, settle, slopes
from whygrad.typing import Array, BoolArray, IntArray

#: Differences up to this share of the gradient's largest entry are not worth a second thought.
TOLERANCE = 1e-7
#: A bound that is good enough, as a share of the gradient's largest entry.
_GOAL = 1e-10
#: Entries that are clearly wrong and looked at once more, one by one.
_WRONG_AGAIN = 64
#: Entries at which imaginary steps that disagree are confirmed by real ones.
_CONFIRMED = 24


class Compared(NamedTuple):
    """Entries of one gradient and what differences give for them; each field but the last has the shape (K,)."""

    indices: IntArray  #: flat
    analytic: Array
    numeric: Array
    bound: Array
    kink: BoolArray  #: whether the slopes on both sides differ
    left: Array
    right: Array
    steep: BoolArray  #: whether there is no slope at all
    step: float  #: the usual step; 0 for the complex one

    def only(self, chosen: Any) -> Compared:
        """Return some of the entries, in arrays of their own."""
        parts: tuple[Any, ...] = tuple(self)
        return Compared(*(part[chosen].copy() for part in parts[:-1]), self.step)  # type: ignore[call-arg]

    @property
    def scale(self) -> float:
        """The largest slope."""
        with np.errstate(invalid="ignore"):
            return float(np.abs(self.numeric[np.isfinite(self.numeric)]).max(initial=0.0))


def compare_entries(problem: Problem, name: str, indices: IntArray) -> Compared:
    """Compare entries of a gradient with differences, each to the bound that its noise and curvature allow.

    Args:
        problem: the function.
        name: the input.
        indices: flat indices of the entries, without repetition.
    """
    analytic = problem.claimed[name].reshape(-1)[indices].astype(np.float64)
    steps = problem.first_step * _sizes(problem.inputs[name].reshape(-1)[indices], problem.size(name))
    if problem.complex_steps:
        numeric, rounding = imaginary_slopes(problem, name, indices)
        flat = np.zeros(len(indices), bool)
        found = Compared(indices, analytic, numeric, rounding, flat, numeric, numeric, flat, 0.0)
        again = _differing(problem, name, found, steps)
    else:
        first = _first_look(problem, name, indices, steps)
        last_step = float(np.median(steps)) * RATIO ** (1 - problem.levels) if len(steps) else 0.0
        flat = np.zeros(len(indices), bool)
        found = Compared(
            indices, analytic, first.value, first.bound, flat, first.left, first.right, flat, last_step
        )
        again = _unclear(problem, name, found, first)
    return _look_again(problem, name, found, steps, again)


def _sizes(x: Array, usual: float) -> Array:
    """Return the size that each entry's steps are relative to, powers of two."""
    return 2.0 ** np.round(np.log2(np.maximum(np.abs(x), usual)))


def _first_look(problem: Problem, name: str, indices: IntArray, steps: Array) -> Slopes:
    """Return slopes of all entries from the same few steps; from one more where two do not know enough."""
    levels = [_level(problem, name, indices, steps * RATIO**-level) for level in range(2)]
    noise = problem.noise(name)
    found = _from(levels, noise)
    if problem.levels < 3:
        return found
    scale = max(float(np.abs(found.value[np.isfinite(found.value)]).max(initial=0.0)), problem.floor(name))
    more = np.flatnonzero(~(found.bound <= problem.enough * scale))
    if len(more):
        third = _level(problem, name, indices[more], steps[more] * RATIO**-2)
        better = _from([*(tuple(part[more] for part in level) for level in levels), third], noise)
        for part, known in zip(found, better, strict=True):
            part[more] = known
    return found


def _level(problem: Problem, name: str, indices: IntArray, h: Array) -> tuple[Array, ...]:
    """Return φ(x + up) − φ(x), φ(x − down) − φ(x), up and down for one step of each entry."""
    x = problem.inputs[name]
    at = x.reshape(-1)[indices]
    up, down = (at + h) - at, at - (at - h)
    rises = np.fromiter(problem.rises(name, _moved(x, indices, up, down)), np.float64, 2 * len(indices))
    return rises[0::2], rises[1::2], up, down


def _from(levels: Sequence[tuple[Array, ...]], noise: float) -> Slopes:
    plus, minus, up, down = (np.array(part) for part in zip(*levels, strict=True))
    return slopes(plus, minus, up, down, noise)


def _moved(x: Array, indices: IntArray, up: Array, down: Array) -> Iterator[Array]:
    """Yield x with each entry moved up, then down. It is one array, written to in between."""
    work = x.copy()
    flat = work.reshape(-1)
    for index, more, less in zip(indices.tolist(), up.tolist(), down.tolist(), strict=True):
        before = flat[index]
        flat[index] = before + more
        yield work
        flat[index] = before - less
        yield work
        flat[index] = before


def _differing(problem: Problem, name: str, found: Compared, steps: Array) -> IntArray:
    """Return which entries disagree with their imaginary steps, unless real ones confirm the worst of them.

    Imaginary steps see one side of a kink only, so that a disagreement may be a kink.
    """
    scale = max(found.scale, problem.floor(name))
    with np.errstate(invalid="ignore"):
        difference = np.abs(found.analytic - found.numeric)
    slack = problem.slack(found.numeric, scale, problem.floor(name)) + 2 * found.bound
    differing = np.flatnonzero(~(difference <= slack))
    confirmed = differing[np.argsort(-difference[differing], kind="stable")[:_CONFIRMED]]
    for i in confirmed.tolist():
        s = settle_entry(problem, name, int(found.indices[i]), float(steps[i]), _GOAL * scale)
        if s.kink or not abs(s.value - found.numeric[i]) <= 2 * s.bound + TOLERANCE * scale:
            return differing
    return np.array([], np.intp)


def _unclear(problem: Problem, name: str, found: Compared, first: Slopes) -> IntArray:
    """Return which entries need more than the first look: wrong ones, noisy ones, and ones with a kink nearby.

    Of many that are clearly wrong only the worst are looked at again.
    """
    scale = max(found.scale, problem.floor(name))
    with np.errstate(invalid="ignore"):
        difference = np.abs(found.analytic - first.value)
        smooth = np.abs(first.jump) <= np.maximum(2 * first.jump_bound, TOLERANCE * scale)
        known = (first.bound <= problem.enough * scale) & smooth & np.isfinite(first.bound)
        right = known & (difference <= 2 * first.bound + problem.slack(first.value, scale, problem.floor(name)))
        wrong = known & (difference > 20 * first.bound + TOLERANCE * scale)
    clearly = np.flatnonzero(wrong)
    again = clearly[np.argsort(-difference[clearly], kind="stable")[:_WRONG_AGAIN]]
    return np.concatenate([again, np.flatnonzero(~right & ~wrong)])


def _look_again(problem: Problem, name: str, found: Compared, steps: Array, again: IntArray) -> Compared:
    """Replace what the first look gave by what it takes to be sure; entries too many for that are left out."""
    if len(again) > problem.again:
        kept = again[np.linspace(0, len(again) - 1, problem.again).astype(int)]
        stay = np.ones(len(found.indices), bool)
        stay[np.setdiff1d(again, kept)] = False
        renumbered = np.cumsum(stay) - 1
        found, steps = found.only(stay), steps[stay]
        again = renumbered[kept]
    found = found.only(slice(None))
    goal = _GOAL * max(found.scale, problem.floor(name))
    for i in again.tolist():
        claim = float(found.analytic[i])
        s = settle_entry(problem, name, int(found.indices[i]), float(steps[i]), goal, claim)
        between = problem.many_kinks and _lies_between(s, claim)
        found.numeric[i], found.left[i], found.right[i] = s.value, s.left, s.right
        found.bound[i] = s.side_bound if s.kink or between else s.bound
        found.kink[i], found.steep[i] = s.kink or between, s.steep
    return found


def _lies_between(s: Settled, claim: float) -> bool:
    """Return whether a claim that is not the mean slope may be that of one side."""
    low, high = min(s.left, s.right) - s.side_bound, max(s.left, s.right) + s.side_bound
    return abs(claim - s.value) > 2 * s.bound and low <= claim <= high


def settle_entry(
    problem: Problem, name: str, index: int, start: float, goal: float, claim: float | None = None
) -> Settled:
    """Return the slope of φ in one entry by whatever steps it takes."""
    work = problem.inputs[name].copy()
    flat = work.reshape(-1)
    before = float(flat[index])

    def rise(step: float) -> float:
        flat[index] = before + step
        return problem.rise(name, work)

    return settle(rise, start, problem.noise(name), goal, position=before, claim=claim)
