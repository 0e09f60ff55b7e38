"""Large gradients: random projections first, and bisection to the wrong entries where one disagrees.

The slope of φ along a random direction v is g·v for a right gradient g, at the cost of two values of φ however many
entries there are. A wrong entry changes g·v, whatever the others are. Halving the set of entries that v moves finds
it in about log₂ of their number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from whygrad.checking.complex_step import imaginary_slope_along
from whygrad.checking.entries import TOLERANCE, compare_entries
from whygrad.checking.judging import USEFUL, Context, judge
from whygrad.checking.problem import Problem
from whygrad.checking.report import Row, Verdict
from whygrad.checking.steps import SIGMAS, settle
from whygrad.typing import Array, IntArray

#: How many times the slack a bound may be before more steps are taken: at most 1e-5 of the gradient's norm.
_NOISY = 100
#: Random directions for each gradient.
_DIRECTIONS = 2
#: How many wrong entries bisection finds before it is clear that there are many.
_LEAVES = 16
#: How many entries are compared where many are wrong, or at kinks, so that a pattern shows.
_SAMPLE = 200
#: So few wrong entries need no pattern: their nearest neighbours are enough to see that they are alone.
_FEW = 2


class Projection(NamedTuple):
    """A gradient along a direction, and the slope."""

    claimed: float  #: g·v
    numeric: float
    bound: float
    clear: bool  #: whether there is a slope: no kink is met right here

    @property
    def difference(self) -> float:
        """How far the claim is from the slope."""
        return self.claimed - self.numeric


def check_by_projections(problem: Problem, name: str, context: Context, rng: np.random.Generator) -> Row:
    """Return the verdict on a gradient from projections; on its entries where one disagrees."""
    x, gradient = problem.inputs[name], problem.claimed[name].astype(np.float64)
    size, before = problem.size(name), problem.evaluations
    worst_error, worst_bound = 0.0, 0.0
    for _ in range(_DIRECTIONS):
        v = size * rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)
        norm = max(float(np.linalg.norm((gradient * v).ravel())), problem.floor(name) * float(np.linalg.norm(v)))
        slack = TOLERANCE * norm + float(np.linalg.norm((context.allowance * v).ravel()))
        seen = project(problem, name, v, slack)
        if not _agrees(seen, slack):
            return _look_closer(problem, name, context, v, seen, slack, rng)
        worst_error = max(worst_error, abs(seen.difference) / norm if norm else 0.0)
        worst_bound = max(worst_bound, (abs(seen.difference) + seen.bound) / norm if norm else 0.0)
    evaluations = problem.evaluations - before
    largest = np.array([int(np.abs(gradient).argmax())])
    row = judge(problem, name, compare_entries(problem, name, largest), context)
    if row.verdict not in (Verdict.RIGHT, Verdict.KINK):
        return replace(row, checked=x.size)
    method = f"{_DIRECTIONS} random projections of all entries, {evaluations} evaluations"
    if row.verdict is Verdict.KINK:
        row = replace(row, verdict=Verdict.RIGHT, kinks=(), findings=())
    return replace(row, checked=x.size, relative_error=worst_error, bound=worst_bound, method=method)


def project(problem: Problem, name: str, v: Array, slack: float, expected: float = 0.0) -> Projection:
    """Return the claim and the slope along a direction: from two values of φ if these agree, more if they do not.

    Or if they differ by what is expected, since a known mistake lies in this direction.
    """
    claimed = float(np.vdot(problem.claimed[name].astype(np.float64), v))
    x, noise = problem.inputs[name], problem.noise(name)

    def rise(step: float) -> float:
        return problem.rise(name, x + step * v)

    h = problem.projection_step
    up, down = rise(h), rise(-h)
    numeric, bound = (up - down) / (2 * h), SIGMAS * noise / h
    off = claimed - numeric
    if min(abs(off), abs(off - expected)) <= bound + slack and bound <= _NOISY * slack:
        return Projection(claimed, numeric, bound, clear=True)
    s = settle(rise, h, noise, 0.1 * slack, position=_position(x, v))
    return Projection(
        claimed, s.value, s.side_bound if s.kink else s.bound, clear=not s.kink and np.isfinite(s.bound)
    )


def _position(x: Array, v: Array) -> float:
    """Return how large x is in units of v where it is largest: steps that vanish beside it are no steps."""
    moved = v != 0
    return float(np.abs(x[moved] / v[moved]).max(initial=0.0))


def _agrees(seen: Projection, slack: float) -> bool:
    return seen.clear and abs(seen.difference) <= 2 * seen.bound + slack and seen.bound <= 10 * _NOISY * slack


def _look_closer(
    problem: Problem,
    name: str,
    context: Context,
    v: Array,
    seen: Projection,
    slack: float,
    rng: np.random.Generator,
) -> Row:
    """Find the entries at fault and compare them and others, so that the row can say where it is wrong."""
    before, x = problem.evaluations, problem.inputs[name]
    leaves: list[int] = []
    complete = False
    if not _in_proportion(problem, name, v, seen, rng):
        leaves, complete = bisect(problem, name, v, seen, slack)
    many = not complete or len(leaves) > _FEW
    chosen = _around(x.shape, leaves, rng, min(_SAMPLE, problem.again) if many else 0, lines=many)
    row = judge(problem, name, compare_entries(problem, name, chosen), context)
    evaluations = problem.evaluations - before
    method = f"random projection, bisection and {len(chosen)} single entries, {evaluations} evaluations"
    if row.verdict.good and complete and seen.clear:
        return _nothing_found(row, seen, slack / TOLERANCE, method)
    if row.verdict.good and not complete:  # kinks everywhere: what the sample says is not said of the others
        if x.size <= problem.again:
            return judge_all(problem, name, context)
        return replace(
            row, verdict=Verdict.UNDECIDED, findings=(*row.findings, _too_many(len(chosen))), method=method
        )
    return replace(row, checked=x.size if complete else len(chosen), method=method)


def judge_all(problem: Problem, name: str, context: Context) -> Row:
    """Return the verdict from every entry on its own; undecided if some are too many to be sure of."""
    size = problem.inputs[name].size
    row = judge(problem, name, compare_entries(problem, name, np.arange(size)), context)
    if row.verdict.good and row.checked < size:
        return replace(row, verdict=Verdict.UNDECIDED, findings=(*row.findings, _too_many(row.checked)))
    return row


def _too_many(compared: int) -> str:
    return (
        f"only {compared:,} entries were compared: too many lie on kinks, as zeros before a relu do; move the "
        "input by small random numbers and check there"
    )


def _nothing_found(row: Row, seen: Projection, norm: float, method: str) -> Row:
    """Return what is known where a direction disagrees a little and no entry does: kinks close by, most often."""
    share = (abs(seen.difference) + seen.bound) / norm
    if share <= USEFUL:
        return replace(row, bound=share, relative_error=abs(seen.difference) / norm, method=method)
    said = (
        f"along a random direction {seen.claimed:.9g} is claimed and {seen.numeric:.9g} measured, but no single "
        "entry is wrong beyond the noise; compare every entry, with full=True or --full"
    )
    return replace(row, verdict=Verdict.UNDECIDED, findings=(*row.findings, said), method=method)


def _in_proportion(problem: Problem, name: str, v: Array, seen: Projection, rng: np.random.Generator) -> bool:
    """Return whether one factor explains two directions: then all entries are wrong and none need be searched."""
    other = rng.permuted(v)
    again = project(problem, name, other, 1e-6 * abs(seen.numeric))
    if not (seen.clear and again.clear and seen.numeric and again.numeric):
        return False
    one, two = seen.claimed / seen.numeric, again.claimed / again.numeric
    doubt = seen.bound / abs(seen.numeric) + again.bound / abs(again.numeric) + 1e-6
    return abs(one - two) <= doubt * max(abs(one), 1.0) and doubt < 1e-3


def bisect(problem: Problem, name: str, v: Array, seen: Projection, slack: float) -> tuple[list[int], bool]:
    """Return flat indices of entries that are wrong or at kinks, and whether these are all.

    Args:
        problem: the function.
        name: the input.
        v: a direction along which the claim disagrees.
        seen: what was seen along it.
        slack: a difference that counts as none.
    """
    end = problem.evaluations + problem.search
    leaves: list[int] = []
    waiting = [(0, v.size, seen)]
    while waiting:
        low, high, whole = waiting.pop()
        if high - low == 1:
            leaves.append(low)
            if len(leaves) >= _LEAVES:
                return leaves, False
            continue
        if problem.evaluations > end:
            return leaves, False
        middle = (low + high) // 2
        first = project(problem, name, _only(v, low, middle), slack, whole.difference if whole.clear else 0.0)
        if whole.clear and first.clear:
            rest = (whole.claimed - first.claimed, whole.numeric - first.numeric, whole.bound + first.bound)
            second = Projection(*rest, clear=True)
        else:
            second = project(problem, name, _only(v, middle, high), slack)
        halves = [(middle, high, second), (low, middle, first)]
        suspect = [half for half in halves if not _agrees(half[2], slack)]
        if not suspect and whole.clear:
            suspect = [max(halves, key=lambda half: abs(half[2].difference) / (half[2].bound + slack))]
        waiting += suspect
    return leaves, True


def _only(v: Array, low: int, high: int) -> Array:
    part = np.zeros_like(v)
    part.reshape(-1)[low:high] = v.reshape(-1)[low:high]
    return part


def _around(
    shape: tuple[int, ...], leaves: list[int], rng: np.random.Generator, others: int, *, lines: bool
) -> IntArray:
    """Return the leaves, their neighbours along each axis, entries on lines through them, and others at random."""
    size = int(np.prod(shape))
    chosen = set(leaves)
    for leaf in leaves[:4]:
        at = np.unravel_index(leaf, shape)
        for axis, length in enumerate(shape):
            line: list[IntArray] = [np.asarray(i) for i in at]
            near = at[axis] + np.arange(-4 if lines else -1, 5 if lines else 2)
            far = [0, length - 1, *rng.integers(0, length, 8)] if lines else []
            line[axis] = np.unique(np.clip(np.concatenate([near, far]).astype(int), 0, length - 1))
            chosen.update(np.ravel_multi_index(np.broadcast_arrays(*line), shape).ravel().tolist())
    chosen.update(rng.choice(size, min(others, size), replace=False).tolist())
    return np.array(sorted(chosen), np.int64)


def complex_steps_work(problem: Problem, rng: np.random.Generator) -> bool:
    """Return whether imaginary steps through the function agree with real ones, for each input as a whole."""
    names = [name for name in problem.claimed if problem.inputs[name].size]
    return problem.y.dtype == np.float64 and bool(names) and all(_complex_works(problem, n, rng) for n in names)


def _complex_works(problem: Problem, name: str, rng: np.random.Generator) -> bool:
    v = rng.uniform(0.5, 1.5, problem.inputs[name].shape) * rng.choice([-1.0, 1.0], problem.inputs[name].shape)
    slope = imaginary_slope_along(problem, name, v)
    if slope is None:
        return False
    norm = problem.floor(name) * float(np.linalg.norm(v.ravel())) + abs(slope)
    seen = project(problem, name, v, 1e-9 * norm)
    return seen.clear and abs(slope - seen.numeric) <= 2 * seen.bound + 1e-7 * norm
