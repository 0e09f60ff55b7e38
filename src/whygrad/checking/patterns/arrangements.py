"""The right numbers in the wrong places: transposed, turned, shifted, or reshaped in another order.

Every hypothesis is a map from an entry of the right gradient to the entry of the claimed one that holds its
number. It is read at the compared entries alone, so that arrays of any size are quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations, product
from typing import NamedTuple

import numpy as np

from whygrad.checking.patterns.factors import inverse, named
from whygrad.checking.patterns.fitting import CONVINCING, Evidence, Interval, coincidence, slope
from whygrad.typing import BoolArray, IntArray

#: Numbers of places by which arrays are tried to be shifted.
SHIFTS = (1, 2, 3)
#: Longest axis whose indices are tried to be in another order.
LONGEST = 64
#: Most axes of which all orders are tried: images, with their channels in groups.
MOST_AXES = 5
#: How many entries are looked at before all of them are.
PROBED = 16

Index = tuple[IntArray, ...]


class Arrangement(NamedTuple):
    """A way to rearrange an array: where the number of each compared entry stands in what is claimed."""

    words: str
    source: Index


def rearranged(evidence: Evidence) -> str | None:
    """Return a sentence if what is claimed are the right numbers, or minus those, in other places.

    Example:
        >>> right, at = np.random.default_rng(0).normal(size=(3, 3)), np.indices((3, 3)).reshape(2, -1)
        >>> n, t = right.ravel(), np.full(9, 1e-9)
        >>> wrong = (right != right.T).ravel()
        >>> e = Evidence(right.T, ("row", "column"), tuple(at), right.T.ravel(), n, t, wrong, n != 0, {}, {})
        >>> rearranged(e)
        'transposed: the right numbers, with the axes row and column swapped'
    """
    if evidence.analytic.size < 3 or not evidence.wrong.any():
        return None
    everywhere = np.ones(len(evidence.numeric), bool)
    for arrangement in (*_turned(evidence), *_reshaped(evidence)):
        factor = _explains(evidence, arrangement.source, everywhere)
        if factor is not None:
            return arrangement.words + factor
    return _shifted(evidence) or _permuted(evidence)


def _explains(evidence: Evidence, source: Index, looked_at: BoolArray) -> str | None:
    """Return "" if the numbers at ``source`` are the right ones, convincingly; words if they are after a factor."""
    wrong = np.flatnonzero(looked_at & evidence.wrong)
    if (looked_at & evidence.telling).sum() < 3 or not wrong.size:
        return None
    factor = _constant(evidence, source, wrong[:PROBED]) and _constant(evidence, source, np.flatnonzero(looked_at))
    if factor is None:
        return None
    predicted = evidence.analytic[tuple(axis[looked_at] for axis in source)]
    predicted = predicted / (1.0 if factor.contains(1.0) else factor.middle)
    numeric, tolerance = evidence.numeric[looked_at], evidence.tolerance[looked_at]
    convincing = coincidence(numeric, predicted, tolerance, evidence.wrong[looked_at]) > CONVINCING
    return _besides(factor, evidence.sizes, len(wrong)) if convincing else None


def _besides(factor: Interval, sizes: Mapping[str, int], entries: int) -> str | None:
    """Return what to add to an arrangement for the factor that comes with it; None if it is no telling number."""
    if factor.contains(1.0):
        return ""
    if factor.contains(-1.0):
        return ", and the sign flipped"
    words = named(factor, sizes)
    return f"; a factor besides: what stands there is {words}" if words and entries > 3 else None


def _constant(evidence: Evidence, source: Index, chosen: IntArray) -> Interval | None:
    """Return by which factors the numbers at ``source`` may differ from the right ones, at the chosen entries."""
    predicted = evidence.analytic[tuple(axis[chosen] for axis in source)]
    return inverse(slope(evidence.numeric[chosen], predicted, evidence.tolerance[chosen]))


def _turned(evidence: Evidence) -> Iterator[Arrangement]:
    """Yield the exchanges and flips of axes that keep the shape, simple ones first."""
    shape, axes = evidence.analytic.shape, evidence.axes
    ndim = len(shape)
    orders = (
        [p for p in permutations(range(ndim)) if tuple(shape[i] for i in p) == shape] if ndim <= MOST_AXES else []
    )
    flips = [c for count in range(min(ndim, 4) + 1) for c in combinations(range(ndim), count)]
    pairs = [(order, flipped) for order, flipped in product(orders or [tuple(range(ndim))], flips)]
    pairs.sort(key=lambda pair: sum(i != j for i, j in enumerate(pair[0])) + len(pair[1]))
    for order, flipped in pairs:
        if flipped or order != tuple(range(ndim)):
            turned = [evidence.at[i] for i in order]
            for axis in flipped:
                turned[axis] = shape[axis] - 1 - turned[axis]
            yield Arrangement(_turning(order, flipped, axes), tuple(turned))


def _turning(order: Sequence[int], flipped: Sequence[int], axes: Sequence[str]) -> str:
    """Return what exchanging and then flipping axes is called."""
    moved = [i for i, j in enumerate(order) if i != j]
    flip = " and ".join(axes[i] for i in flipped)
    if not moved:
        if len(flipped) == 1:
            return f"flipped: the right numbers, in reverse order along the axis {flip}"
        plane = tuple(flipped) == (len(axes) - 2, len(axes) - 1)
        how = (
            f"reversed along both {flip}"
            if len(flipped) == 2
            else f"reversed along {', '.join(axes[i] for i in flipped)}"
        )
        return f"rotated by 180°: the right numbers, {how}" if plane else f"flipped: the right numbers, {how}"
    if len(moved) == 2:
        names = f"{axes[moved[0]]} and {axes[moved[1]]}"
        if len(flipped) == 1 and flipped[0] in moved:
            return f"rotated by 90°: the right numbers, turned in the plane of {names}"
        swap = f"transposed: the right numbers, with the axes {names} swapped"
    else:
        swap = f"transposed: the right numbers, with the axes in the order {', '.join(axes[i] for i in order)}"
    return f"{swap} and reversed along {flip}" if flipped else swap


def _reshaped(evidence: Evidence) -> Iterator[Arrangement]:
    """Yield what a transpose that is missing, or one too many, makes of a reshape."""
    shape, axes = evidence.analytic.shape, evidence.axes
    ndim = len(shape)
    for order in permutations(range(ndim)) if 2 <= ndim <= MOST_AXES else ():
        other = tuple(shape[i] for i in order)
        if other == shape:
            continue
        names = ", ".join(axes[i] for i in order)
        fortran = " (Fortran's order)" if order == tuple(reversed(range(ndim))) else ""
        flat = np.ravel_multi_index(tuple(evidence.at[i] for i in order), other)
        yield Arrangement(
            f"reshaped in the wrong order: the right numbers, laid out with the axes in the order {names}{fortran}"
            f" and reshaped to {shape} as they lay; a transpose is missing",
            np.unravel_index(flat, shape),
        )
        back = np.unravel_index(np.ravel_multi_index(evidence.at, shape), other)
        yield Arrangement(
            f"transposed after a reshape: read with the axes in the order {names}{fortran}, the numbers are the"
            f" right ones in their order; they were reshaped to {other} and then transposed",
            tuple(back[order.index(i)] for i in range(ndim)),
        )


def _shifted(evidence: Evidence) -> str | None:
    """Return a sentence if the right numbers were moved along an axis, or along the last two."""
    ndim = len(evidence.axes)
    steps = [step for size in SHIFTS for step in (size, -size)]
    moves = [{axis: step} for step in steps for axis in range(ndim)]
    if ndim >= 2:
        moves += [{ndim - 2: down, ndim - 1: along} for down in steps for along in steps]
    for move in moves:
        source = [at + move.get(axis, 0) for axis, at in enumerate(evidence.at)]
        pairs = zip(source, evidence.analytic.shape, strict=True)
        kept = np.logical_and.reduce([(at >= 0) & (at < size) for at, size in pairs])
        if 2 * (kept & evidence.telling).sum() < evidence.telling.sum() or not (kept & evidence.wrong).any():
            continue
        factor = _explains(evidence, tuple(source), kept)
        if factor is not None:
            distances = " and ".join(_distance(evidence.axes[axis], step) for axis, step in move.items())
            return f"shifted: the right numbers, moved by {distances}, {_filling(evidence, move, source)}{factor}"
    return None


def _distance(axis: str, step: int) -> str:
    """Return "2 rows forward"."""
    return f"{abs(step)} {axis}{'s' if abs(step) > 1 else ''} {'forward' if step > 0 else 'back'}"


def _filling(evidence: Evidence, move: dict[int, int], source: list[IntArray]) -> str:
    """Return what stands where nothing was moved to."""
    around = tuple(at % size for at, size in zip(source, evidence.analytic.shape, strict=True))
    if _constant(evidence, around, np.arange(len(evidence.numeric))) is not None:
        return "what leaves at one end coming in at the other"
    emptied = [
        np.take(evidence.analytic, range(step) if step > 0 else range(step, 0), axis=axis, mode="wrap")
        for axis, step in move.items()
    ]
    filling = "zeros" if not any(part.any() for part in emptied) else "other numbers"
    return f"{filling} filling the gap (is padding cropped at the wrong side, or an index off by that much?)"


def _permuted(evidence: Evidence) -> str | None:
    """Return a sentence if the indices of one axis are in another order."""
    for axis, size in enumerate(evidence.analytic.shape):
        order = _order(evidence, axis) if 3 <= size <= LONGEST else None
        if order is None:
            continue
        source = list(evidence.at)
        source[axis] = order[evidence.at[axis]]
        predicted = evidence.analytic[tuple(source)]
        surprise = coincidence(evidence.numeric, predicted, evidence.tolerance, evidence.wrong)
        if surprise - size * np.log(size) > CONVINCING:
            name = evidence.axes[axis]
            moved = [f"what belongs to {name} {i} stands in {name} {j}" for i, j in enumerate(order) if i != j]
            shown = ", ".join(moved[:4]) + (", ..." if len(moved) > 4 else "")
            return f"mixed up: the right numbers, with the {name}s in another order: {shown}"
    return None


def _order(evidence: Evidence, axis: int) -> IntArray | None:
    """Return for each index of an axis the one at which its numbers stand; None if there is no such order."""
    size, at = evidence.analytic.shape[axis], evidence.at[axis]
    order = np.full(size, -1)
    for index in range(size):
        here = at == index
        if (here & evidence.telling).sum() < 2:
            return None
        source = [a[here][None, :] for a in evidence.at]
        source[axis] = np.arange(size)[:, None]
        difference = np.abs(evidence.analytic[tuple(source)] - evidence.numeric[here])
        fitting = np.flatnonzero((difference <= evidence.tolerance[here]).all(axis=1))
        if len(fitting) != 1:
            return None
        order[index] = fitting[0]
    return order if len(set(order.tolist())) == size else None
