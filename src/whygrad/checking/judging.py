"""From numbers to a verdict and its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from whygrad.checking.entries import Compared
from whygrad.checking.kinks import Joint, interval_by_outputs, joint_mistakes, switching_outputs
from whygrad.checking.patterns import Sampled, findings
from whygrad.checking.problem import Problem
from whygrad.checking.report import Entry, Kink, Row, Verdict
from whygrad.typing import Array, BoolArray

#: A gradient that is known no better than to this share of its largest entry is undecided.
USEFUL = 1e-4
#: How many wrong entries and kinks a row shows, and how many kinks' switches are counted.
_SHOWN, _COUNTED = 6, 3
#: What is smaller than this share of the gradient is a rounding error of zero.
_ROUNDING = 1e-12
#: Noise of more than this share of φ is that of a coarse float type, or of rounding on purpose, and not normal.
_NOISY = 1e-11
#: Errors below this share of the gradient are too small for patterns to show.
_SMALL = 3e-6
#: How many claims outside the slopes at a kink are looked at by outputs.
_RECONSIDERED = 200


class Context(NamedTuple):
    """What else is known of an input, for the sentences, and how exact its gradient can be."""

    axes: Sequence[str] | None = None  #: names of its axes
    sizes: Mapping[str, int] = {}  #: numbers that may explain a factor: {"the batch size": 64}
    others: Mapping[str, Array] = {}  #: arrays that may have been returned in its place
    allowance: Array | float = 0.0  #: what rounding in a coarser float type may do to an entry
    remedy: str = ""  #: what would decide an undecided check


class _Judged(NamedTuple):
    """Which entries are wrong and which are not known to be right."""

    difference: Array  #: (K,) at a kink the distance from the interval of its slopes
    wrong: BoolArray  #: (K,)
    undecided: BoolArray  #: (K,)
    mixed: BoolArray  #: (K,) undecided since several units are at their kinks
    kinked: BoolArray  #: (K,)
    joint: list[Joint]  #: right each alone and wrong together
    scale: float  #: what errors are relative to

    @property
    def verdict(self) -> Verdict:
        if self.wrong.any() or self.joint:
            return Verdict.WRONG
        if self.undecided.any():
            return Verdict.UNDECIDED
        return Verdict.KINK if self.kinked.any() else Verdict.RIGHT


def judge(problem: Problem, name: str, compared: Compared, context: Context) -> Row:
    """Return the row of an input whose entries were compared one by one."""
    x, found = problem.inputs[name], _judged(problem, name, compared, context.allowance)
    size = found.scale or 1.0
    known = (found.difference + compared.bound)[~found.wrong & ~found.undecided]
    worst = np.argsort(-np.where(found.wrong, found.difference + size, found.difference), kind="stable")
    return Row(
        name=name,
        verdict=found.verdict,
        shape=x.shape,
        checked=len(compared.indices),
        entries=x.size,
        relative_error=float(found.difference.max(initial=0.0)) / size,
        bound=float((known if len(known) else compared.bound).max(initial=0.0)) / size,
        worst=_entry(compared, int(worst[0]), x.shape) if len(worst) else None,
        wrong=tuple(_entry(compared, int(i), x.shape) for i in worst[: min(_SHOWN, int(found.wrong.sum()))]),
        kinks=_kinks(problem, name, compared, found),
        method=_method(compared),
        findings=tuple(_findings(problem, name, compared, found, context)),
    )


def _judged(problem: Problem, name: str, compared: Compared, allowance: Array | float) -> _Judged:
    scale = max(compared.scale, problem.floor(name))
    spare = np.broadcast_to(allowance, problem.inputs[name].shape).reshape(-1)[compared.indices]
    noisy = problem.noise(name) > _NOISY * problem.magnitude
    # Two estimates may agree by chance: no bound is trusted to be far better than those of the other entries.
    usual = float(np.median(compared.bound)) if len(spare) else 0.0
    bound = np.maximum(compared.bound, 0.25 * usual) if np.isfinite(usual) else compared.bound
    slack = (6 if noisy else 2) * bound + problem.slack(compared.numeric, scale, problem.floor(name)) + spare
    kinked = compared.kink & ~compared.steep
    with np.errstate(invalid="ignore", over="ignore"):
        low = np.where(compared.kink, np.minimum(compared.left, compared.right), compared.numeric)
        high = np.where(compared.kink, np.maximum(compared.left, compared.right), compared.numeric)
        difference = np.maximum(np.maximum(low - compared.analytic, compared.analytic - high), 0.0)
        difference[compared.steep] = 0.0
        wrong = difference > slack
        mixed = np.zeros(len(wrong), bool)
        for i in np.flatnonzero(wrong & (kinked | problem.many_kinks))[:_RECONSIDERED].tolist():
            difference[i], mixed[i] = _reconsidered(problem, name, compared, i)
        wrong = (difference > slack) & ~mixed
        undecided = mixed | compared.steep | (~wrong & ~(compared.bound <= USEFUL * scale + spare))
    joint = [] if wrong.any() else joint_mistakes(problem, name, compared.indices[kinked], scale)
    return _Judged(np.nan_to_num(difference), wrong, undecided, mixed, kinked, joint, scale)


def _reconsidered(problem: Problem, name: str, compared: Compared, i: int) -> tuple[float, bool]:
    """Return how far a claim is outside its interval after all, and whether that cannot be told.

    Where an entry moves several units off their kinks, each may go its own way. With several outputs the interval
    is made from theirs; where units are inside, the slopes of φ alone do not tell.
    """
    index, claim = int(compared.indices[i]), float(compared.analytic[i])
    low, high = sorted((float(compared.left[i]), float(compared.right[i])))
    if not compared.kink[i]:
        low = high = float(compared.numeric[i])
    elif problem.y.size > 1:
        by_outputs = interval_by_outputs(problem, name, index)
        low, high = min(low, by_outputs[0]), max(high, by_outputs[1])
    mixed = (problem.switches(name, index) or 0) > 1
    return max(low - claim, claim - high, 0.0), mixed


def _entry(compared: Compared, i: int, shape: tuple[int, ...]) -> Entry:
    numbers = compared.analytic[i], compared.numeric[i], compared.bound[i]
    return Entry(place(int(compared.indices[i]), shape), *(float(number) for number in numbers))


def place(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a flat index as one for each axis.

    Example:
        >>> place(5, (2, 3))
        (1, 2)
    """
    return tuple(int(i) for i in np.unravel_index(index, shape))


def _method(compared: Compared) -> str:
    if not compared.step:
        return "complex step"
    return f"central differences, h = {compared.step:.0e}, extrapolated"


def _kinks(problem: Problem, name: str, compared: Compared, found: _Judged) -> tuple[Kink, ...]:
    """Return the kinks to show, those with wrong claims first."""
    chosen = np.flatnonzero(found.kinked)
    chosen = chosen[np.argsort(~found.wrong[chosen], kind="stable")][:_SHOWN]
    kinks = []
    for number, i in enumerate(chosen.tolist()):
        index = int(compared.indices[i])
        switches = _switches(problem, name, index) if number < _COUNTED else None
        numbers = float(compared.analytic[i]), float(compared.left[i]), float(compared.right[i])
        at = place(index, problem.inputs[name].shape)
        kinks.append(Kink(at, *numbers, switches, valid=not found.wrong[i]))
    return tuple(kinks)


def _switches(problem: Problem, name: str, index: int) -> int | None:
    """Return how many units switch, as the problem knows, or how many outputs have a kink."""
    known = problem.switches(name, index)
    if known is None and problem.y.size > 1:
        return len(switching_outputs(problem, name, index))
    return known


def _findings(problem: Problem, name: str, compared: Compared, found: _Judged, context: Context) -> list[str]:
    """Return the sentences below a row."""
    shape, said = problem.inputs[name].shape, []
    plain = ~compared.kink & ~found.undecided  # a kink has no one number that a gradient could be a multiple of
    error = float(found.difference[found.wrong & plain].max(initial=0.0)) / (found.scale or 1.0)
    if 0 < error < _SMALL:
        said.append(f"off by {error:.0e} of the largest entry in {int(found.wrong.sum())} of {len(plain)} entries")
    elif error:
        claimed = problem.claimed[name]
        sampled = Sampled(
            np.where(np.abs(claimed) <= _ROUNDING * found.scale, 0.0, claimed),
            compared.indices[plain],
            compared.numeric[plain],
            compared.bound[plain],
            found.wrong[plain],
        )
        said += findings(sampled, axes=context.axes, sizes=context.sizes, others=context.others)
    said += [_beyond(compared, int(i), shape) for i in np.flatnonzero(found.wrong & ~plain)[:2]]
    said += [_joint(one, shape) for one in found.joint[:2]]
    if found.undecided.any():
        said.append(_undecided(compared, found, context.remedy))
    kinks = int(found.kinked.sum())
    if kinks and found.verdict.good:
        lie = "1 entry lies" if kinks == 1 else f"{kinks} entries lie"
        said.append(f"{lie} on a kink; what is claimed there is a valid subgradient")
    nothing = compared.scale <= min(problem.floor(name), 4 * float(compared.bound.max(initial=0.0)))
    if found.verdict is Verdict.RIGHT and nothing and problem.magnitude:
        largest = max(compared.scale, float(np.abs(compared.analytic).max(initial=0.0)))
        said.append(f"the gradient is zero here, to within {largest:.0e}: nothing else could be tested")
    return said


def _beyond(compared: Compared, i: int, shape: tuple[int, ...]) -> str:
    low, high = sorted((compared.left[i], compared.right[i]))
    at = list(place(int(compared.indices[i]), shape))
    return (
        f"{at} lies on a kink, between the slopes {low:.6g} and {high:.6g}: any number from one to the other is "
        f"right, and {compared.analytic[i]:.6g} is not"
    )


def _joint(one: Joint, shape: tuple[int, ...]) -> str:
    places = [str(list(place(i, shape))) for i in one.indices[:4]]
    listed = ", ".join(places) + (", …" if len(one.indices) > len(places) else "")
    return (
        f"the entries {listed} meet at one kink, such as a tie: together they must claim {one.numeric:.6g}, "
        f"and they claim {one.claimed:.6g}; give a tie's gradient to one of them, or divide it"
    )


def _undecided(compared: Compared, found: _Judged, remedy: str) -> str:
    count, total = int(found.undecided.sum()), len(found.undecided)
    if not np.isfinite(compared.bound[found.undecided]).all():
        return f"f is not finite right beside the point: {count} of {total} entries have no slope to compare with"
    if compared.steep.any():
        return f"f jumps here, or is as steep as a root: {count} of {total} entries have no slope to compare with"
    if found.mixed.any():
        count = int(found.mixed.sum())
        return (
            f"at {count} of {total} entries several units are at their kinks at once, and each may go its own way: "
            "move the parameters or the images a little, and check there"
        )
    share = float((compared.bound[found.undecided] / found.scale).max()) if found.scale else np.inf
    noisy = f"{count} of {total} differences are known no better than to {share:.0e} of the gradient"
    return f"{noisy}: {remedy or 'f is too noisy; compute in float64, and avoid the difference of large numbers'}"
