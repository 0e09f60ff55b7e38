"""What was done to a gradient that is wrong: which simple change of the right one gives what is claimed.

Each law is verified at every compared entry that it speaks of, to within the bounds of the finite differences, and
named only when so many agreements could not be chance. Rather no explanation than a false one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, islice

import numpy as np

from whygrad.checking.patterns.arrangements import rearranged
from whygrad.checking.patterns.factors import factor, factor_along_an_axis, short
from whygrad.checking.patterns.fitting import CONVINCING, Evidence, coincidence, precision, slope, slopes
from whygrad.checking.patterns.index_sets import listed
from whygrad.typing import Array, BoolArray, IntArray

#: How unlikely, in nats, zeros at the wrong entries have to be before they say something.
TELLING_ZEROS = 4.5
#: How exactly numbers have to agree that are both known.
EXACT = 1e-9
#: What may have been left out: the claim, times this function of an array at hand, is right.
MISSING: dict[str, Callable[[Array], Array]] = {
    "multiplied by {0} it is right: the factor {0} is missing": lambda a: a,
    "divided by {0} it is right: the factor {0} is one too many": lambda a: 1 / a,
    "it is right where {0} > 0 and ought to be 0 elsewhere: relu's derivative is missing": lambda a: np.heaviside(
        a, 0.0
    ),
    "multiplied by {0}·(1 − {0}) it is right: a sigmoid's derivative is missing": lambda a: a * (1 - a),
    "multiplied by 1 − {0}² it is right: tanh's derivative is missing": lambda a: 1 - a**2,
}


def explained(evidence: Evidence) -> list[str]:
    """Return at most one sentence on what explains the wrong entries, given that something is wrong.

    Example:
        >>> right, t = np.array([1.0, 2.0, 5.0]), np.full(3, 1e-9)
        >>> yes, at = np.ones(3, bool), (np.arange(3),)
        >>> explained(Evidence(3 * right, ("entry",), at, 3 * right, right, t, yes, yes, {}, {}))
        ['a factor explains it: what is claimed is 3 times the right gradient']
    """
    if not evidence.wrong.any() or not np.isfinite(evidence.analytic).all():
        return []
    laws = (
        _zero, factor, _another_array, rearranged, _collapsed, _missing_product, _regulariser, _offset,
        factor_along_an_axis, _offset_along_axes, _zero_expected,
    )  # fmt: skip
    sentences = (law(evidence) for law in laws)
    return list(islice((sentence for sentence in sentences if sentence), 1))


def _zero(evidence: Evidence) -> str | None:
    """Nothing was computed, or not there."""
    if not evidence.analytic.any():
        return "it is zero everywhere: it was never computed, never added up or never returned"
    if not evidence.claimed[evidence.wrong].any() and _seldom(evidence.claimed == 0, evidence.wrong):
        return "it is exactly zero wherever it is wrong: nothing was computed, or nothing written, there"
    return None


def _seldom(zeros: BoolArray, wrong: BoolArray) -> bool:
    """Whether zeros are so rare among the entries not wrong that those at the wrong ones mean something."""
    share = (zeros[~wrong].sum() + 1) / ((~wrong).sum() + 2)
    return bool(-np.log(share) * wrong.sum() > TELLING_ZEROS)


def _zero_expected(evidence: Evidence) -> str | None:
    """Something was written where nothing belongs."""
    wrong = evidence.wrong
    known = evidence.tolerance[wrong] < 1e-3 * np.abs(evidence.claimed[wrong])
    elsewhere = np.abs(evidence.numeric) > 4 * evidence.tolerance
    about = np.abs(evidence.numeric) <= evidence.tolerance
    if wrong.sum() >= 3 and elsewhere.sum() >= 3 and bool((known & about[wrong]).all()) and _seldom(about, wrong):
        return "the right gradient is zero wherever it is wrong: something is added or let through there"
    return None


def _another_array(evidence: Evidence) -> str | None:
    """It is one of the arrays at hand."""
    mine = evidence.analytic.ravel()
    for name, other in _fitting(evidence):
        here = other[evidence.at]
        close = slope(evidence.claimed, here, 1e-6 * np.abs(evidence.claimed))
        if close is None or np.unique(here).size < 3 or not np.isfinite(other).all():
            continue
        reach = EXACT * np.abs(mine).max() + np.finfo(evidence.analytic.dtype).eps * np.abs(mine)
        multiple = slope(mine, other.ravel(), reach)
        if multiple is None or (np.abs(mine) > 10 * reach).sum() < 3:
            continue
        which = "the array" if multiple.contains(1.0) else f"{short(multiple)} times the array"
        itself = " itself" if multiple.contains(1.0) else ""
        return f"it is {which} {name}{itself}: a wrong variable was returned, or a step left out"
    return None


def _fitting(evidence: Evidence) -> Iterator[tuple[str, Array]]:
    """Yield the other arrays of the same shape."""
    for name, other in evidence.others.items():
        if other.shape == evidence.analytic.shape:
            yield name, other


def _spread(evidence: Evidence) -> Iterator[tuple[str, Array]]:
    """Yield the other arrays at the compared entries: those of the same shape and those that are one axis long."""
    for name, other in _fitting(evidence):
        yield name, other[evidence.at]
    for name, other in evidence.others.items():
        for axis, size in enumerate(evidence.analytic.shape if evidence.analytic.ndim > 1 else ()):
            if other.shape == (size,) and size > 1:
                yield f"{name} (one for each {evidence.axes[axis]})", other[evidence.at[axis]]


def _missing_product(evidence: Evidence) -> str | None:
    """A factor that is an array, or the derivative of an activation, was forgotten or applied twice."""
    for name, other in _spread(evidence):
        for words, factor_of in MISSING.items():
            with np.errstate(all="ignore"):
                predicted = evidence.claimed * factor_of(other)
            if _agrees(evidence, predicted):
                return words.format(name)
    return None


def _agrees(evidence: Evidence, predicted: Array) -> bool:
    """Whether the predicted numbers are the right ones at every compared entry, convincingly."""
    if not np.isfinite(predicted).all() or evidence.telling.sum() < 3 or evidence.wrong.sum() < 3:
        return False
    if (np.abs(predicted - evidence.numeric) > evidence.tolerance).any():
        return False
    return coincidence(evidence.numeric, predicted, evidence.tolerance, evidence.wrong) > CONVINCING


def _regulariser(evidence: Evidence) -> str | None:
    """A multiple of one of the arrays is added."""
    difference, wrong = evidence.claimed - evidence.numeric, evidence.wrong
    for name, other in _fitting(evidence):
        x = other[evidence.at]
        if not np.isfinite(x).all() or np.unique(x[wrong]).size < 3:
            continue
        multiple = slope(difference, x, evidence.tolerance)
        if multiple is None or not _enough(evidence, multiple.middle * x):
            continue
        if multiple.middle > 0:
            return (
                f"the difference is {short(multiple)} times {name} itself: a term, such as a regulariser's"
                " gradient, that the loss doesn't have"
            )
        return (
            f"the difference is {short(multiple)} times {name} itself: a term of the loss, such as a regulariser,"
            " was not differentiated or has too small a factor"
        )
    return None


def _enough(evidence: Evidence, excess: Array, group: IntArray | None = None) -> bool:
    """Whether it says more than chance would that the claim, less this excess, is right at the wrong entries.

    Both the differences have to agree on so few constants and the right numbers have to differ, since equal ones
    agree on any law.
    """
    wrong = evidence.wrong
    difference, tolerance = (evidence.claimed - evidence.numeric)[wrong], evidence.tolerance[wrong]
    agreement = precision(difference, tolerance, None if group is None else group[wrong])
    match = coincidence(evidence.numeric, evidence.claimed - excess, evidence.tolerance, wrong)
    return bool(wrong.sum() >= 3 and min(agreement, match) > CONVINCING)


def _offset(evidence: Evidence) -> str | None:
    """One number is added."""
    difference, tolerance, wrong = evidence.claimed - evidence.numeric, evidence.tolerance, evidence.wrong
    for which, chosen in (("entry", np.ones_like(wrong)), ("wrong entry", wrong)):
        offset = slope(difference[chosen], np.ones(int(chosen.sum())), tolerance[chosen])
        if offset and not offset.contains(0.0) and _enough(evidence, np.where(chosen, offset.middle, 0.0)):
            what = "is added to" if offset.middle > 0 else "is taken from"
            return f"an offset explains it: a constant {abs(offset.middle):.5g} {what} every {which}"
    return None


def _offset_along_axes(evidence: Evidence) -> str | None:
    """What is added is the same all along some axes: a mean or a sum that is missing or wrong."""
    shape, axes, wrong = evidence.analytic.shape, evidence.axes, evidence.wrong
    difference = evidence.claimed - evidence.numeric
    for count in range(1, len(shape)):
        for kept in combinations(range(len(shape)), count):
            group, groups = _groups(evidence, kept)
            members = np.bincount(group[wrong], minlength=groups)
            lone = int((members == 1).sum())
            if not wrong.any() or 5 * lone > wrong.sum() or wrong.sum() - (members > 0).sum() < 3:
                continue
            found = slopes(difference, np.ones_like(difference), evidence.tolerance, group, groups)
            if found and _enough(evidence, (found[0][group] + found[1][group]) / 2, group):
                along = listed([name for i, name in enumerate(axes) if i not in kept])
                each = listed([axes[i] for i in kept])
                return (
                    f"an offset explains it: what is claimed differs from the right gradient by one number for each"
                    f" {each}, the same along {along}: look for a missing or wrong sum or mean over {along}"
                )
    return None


def _groups(evidence: Evidence, kept: tuple[int, ...]) -> tuple[IntArray, int]:
    """Return which compared entries agree in their indices along the kept axes."""
    if not kept:
        return np.zeros(len(evidence.numeric), np.intp), 1
    shape = tuple(evidence.analytic.shape[axis] for axis in kept)
    return np.ravel_multi_index(tuple(evidence.at[axis] for axis in kept), shape), int(np.prod(shape))


def _collapsed(evidence: Evidence) -> str | None:
    """The same number stands all along some axes where the right ones differ."""
    a = evidence.analytic
    reach = EXACT * float(np.abs(a).max())
    flat = tuple(axis for axis in range(a.ndim) if float(np.ptp(a, axis=axis).max()) <= reach)
    kept = tuple(axis for axis in range(a.ndim) if axis not in flat)
    if not flat or not _varies(evidence, kept):
        return None
    repeated = int((np.abs(a) > reach).sum()) - (a.size // int(np.prod([a.shape[i] for i in flat])))
    if repeated < 2:
        return None
    where = listed([evidence.axes[axis] for axis in flat])
    if not kept:
        words = f"collapsed: every entry is {float(a.flat[0]):.5g}, one number for all {a.size}"
    else:
        words = f"collapsed: the same number stands in every entry along {where}, where the right ones differ"
    origin = _origin_of_collapse(evidence, flat, kept)
    return words + origin if origin or repeated >= 3 else None


def _varies(evidence: Evidence, kept: tuple[int, ...]) -> bool:
    """Whether the right gradient differs where the claimed one is the same."""
    group, groups = _groups(evidence, kept)
    return slopes(evidence.numeric, np.ones_like(evidence.numeric), evidence.tolerance, group, groups) is None


def _origin_of_collapse(evidence: Evidence, flat: tuple[int, ...], kept: tuple[int, ...]) -> str:
    """Return what the one number is of the right ones, where it can be told."""
    group, groups = _groups(evidence, kept)
    length = evidence.analytic.size // groups
    members = np.bincount(group, minlength=groups)
    whole = members[group] == length
    if whole.any():
        total, doubt, claimed = np.zeros(groups), np.zeros(groups), np.zeros(groups)
        np.add.at(total, group, evidence.numeric)
        np.add.at(doubt, group, evidence.tolerance)
        claimed[group] = evidence.claimed
        full = members == length
        for name, value, error in (("sum", total, doubt), ("mean", total / length, doubt / length)):
            fits = bool((np.abs(value - claimed)[full] <= error[full]).all())
            if fits and (np.abs(value) > 100 * error)[full].any():
                return f", the {name} of the right ones" + (
                    ": a sum runs over too many axes" if name == "sum" else ""
                )
    if len(flat) == 1:
        for index in range(evidence.analytic.shape[flat[0]]):
            here = (evidence.at[flat[0]] == index) & evidence.telling
            if here.sum() >= 3 and not evidence.wrong[here].any():
                return f": what belongs to {evidence.axes[flat[0]]} {index} stands in all of them"
    return ""
