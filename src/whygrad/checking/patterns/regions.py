"""Where a gradient is wrong: the simplest set of entries that holds the wrong ones and no right one.

"Simplest" is measured: each kind of set costs the logarithm of how many such sets there are. Where entries are
missing, since a sample alone was compared or since 0 beside 0 says nothing, a set is named only when its cost is
less than what the split into right and wrong could have shown otherwise (a minimum description length).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice, product
from math import inf, lgamma, log, prod
from typing import NamedTuple

import numpy as np

from whygrad.checking.patterns.index_sets import KIND, Part, index_sets, listed
from whygrad.typing import BoolArray, IntArray

#: By how much the evidence has to exceed the cost.
MARGIN = 4.0
#: More combinations of sets than this are not tried.
COMBINATIONS = 4096


class Places(NamedTuple):
    """The compared entries of an array by what is known of them."""

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    at: tuple[IntArray, ...]  #: indices of the compared entries along each axis
    wrong: BoolArray
    right: BoolArray  #: right and telling
    complete: bool  #: whether every entry was compared


class Region(NamedTuple):
    """A set of entries."""

    words: str
    inside: BoolArray  #: which of the compared entries it holds
    cost: float
    elsewhere: str = "right elsewhere"


def where(places: Places) -> str:
    """Return a sentence on where the wrong entries are.

    Example:
        >>> rows, columns = np.indices((4, 4)).reshape(2, -1)
        >>> where(Places((4, 4), ("row", "column"), (rows, columns), columns % 2 == 1, columns % 2 == 0, True))
        'wrong in every second column, from column 1, right elsewhere (8 of the 16 entries)'
    """
    count, telling = int(places.wrong.sum()), int((places.wrong | places.right).sum())
    if not places.right.any():
        return _everywhere(places, count)
    region = _simplest(places)
    entries = _few(places, places.wrong)
    if entries and (count == 1 or region is None or region.cost > count * log(prod(places.shape))):
        noun = "entry" if count == 1 else "entries"
        if places.complete:
            return f"wrong only in the {noun} {entries}, right elsewhere"
        return f"of the {_compared(places)}, only {entries} {'is' if count == 1 else 'are'} wrong"
    if region is not None:
        return f"wrong {region.words}, {region.elsewhere} ({_counted(places, count)})"
    exceptions = _few(places, places.right)
    if exceptions and places.complete:
        telling_ones = "" if telling == len(places.wrong) else " that is not about 0"
        return f"wrong in every entry{telling_ones} but {exceptions}"
    return _scattered(places, count, telling)


def _everywhere(places: Places, count: int) -> str:
    """Return the sentence for no right entry at all."""
    entries, compared = prod(places.shape), len(places.wrong)
    if entries == 1:
        return "wrong in its only entry"
    others = "" if count == compared else f" that is not about 0: {count}"
    if places.complete:
        return f"wrong in every entry{others} of the {entries}" if others else f"wrong in all {entries} entries"
    if others:
        return f"wrong in every entry compared{others} of {compared} (the array has {entries})"
    return f"wrong in all {_compared(places)}"


def _counted(places: Places, count: int) -> str:
    """Return how many entries that is, and how many were looked at."""
    entries = prod(places.shape)
    if places.complete:
        return f"{count} of the {entries} entries"
    return f"{count} of the {len(places.wrong)} entries compared; the array has {entries}"


def _compared(places: Places) -> str:
    """Return how many entries were compared."""
    entries = prod(places.shape)
    return (
        f"{entries} entries"
        if places.complete
        else f"{len(places.wrong)} entries compared (the array has {entries})"
    )


def _few(places: Places, chosen: BoolArray) -> str:
    """Return up to three entries by their indices, or nothing."""
    if not 0 < chosen.sum() <= 3:
        return ""
    return listed([str([int(i) for i in index]) for index in zip(*(a[chosen] for a in places.at), strict=True)])


def _scattered(places: Places, count: int, telling: int) -> str:
    """Return the sentence for no pattern, with the bounding box where that says something."""
    compared = _compared(places)
    of = compared if telling == len(places.wrong) else f"{telling} that are not about 0, among {compared},"
    kind = "nearly everywhere" if count > 0.9 * telling else "scattered"
    boxes = []
    for axis, at, size in zip(places.axes, places.at, places.shape, strict=True):
        low, high = int(at[places.wrong].min()), int(at[places.wrong].max())
        outside = int(((at < low) | (at > high))[places.right].sum())
        if high - low + 1 <= 0.6 * size and outside >= 5 and count >= 5:
            boxes.append(f"between {axis}s {low} and {high}" if high > low else f"in {axis} {low}")
    box = f", all of them {listed(boxes)}" if boxes else ""
    return f"{kind}: {count} of the {of} {'is' if count == 1 else 'are'} wrong{box}"


def _simplest(places: Places) -> Region | None:
    """Return the cheapest region that the evidence supports."""
    best: Region | None = None
    for region in (*_diagonals(places), *_borders(places), *_products(places)):
        if region.cost < (inf if best is None else best.cost) and _supported(region, places):
            best = region
    return best


def _supported(region: Region, places: Places) -> bool:
    """Whether the region is a fact (all of it is known) or, if not, the evidence is worth more than its cost."""
    if places.complete and bool(places.wrong[region.inside].all()):
        return True
    wrong, right = int(places.wrong.sum()), int(places.right.sum())
    evidence = lgamma(wrong + right + 1) - lgamma(wrong + 1) - lgamma(right + 1)
    return min(wrong, right) >= 3 and evidence >= region.cost + MARGIN


def _separates(inside: BoolArray, places: Places) -> bool:
    """Whether the set holds every wrong entry and no right one."""
    return bool(inside[places.wrong].all()) and not bool(inside[places.right].any())


def _products(places: Places) -> Iterator[Region]:
    """Yield the cheapest region that is one set of indices for each axis."""
    ndim = len(places.shape)
    most = max(2, int(COMBINATIONS ** (1 / max(ndim, 1))))
    options = [
        sorted(index_sets(size, np.unique(at[places.wrong]), axis), key=lambda part: part.cost)
        for size, at, axis in zip(places.shape, places.at, places.axes, strict=True)
    ]
    kept = [parts if ndim <= 2 else parts[:most] for parts in options]
    hits = [[part.inside[at[places.right]] for part in parts] for parts, at in zip(kept, places.at, strict=True)]
    numbers = sorted(
        product(*(range(len(parts)) for parts in kept)),
        key=lambda chosen: sum(kept[axis][i].cost for axis, i in enumerate(chosen)),
    )
    # The first that fits is not enough: a longer list of indices may be a fact where a short rule is a guess.
    fits = (c for c in numbers if not np.logical_and.reduce([hits[axis][i] for axis, i in enumerate(c)]).any())
    for chosen in islice(fits, 8):
        parts = [kept[axis][i] for axis, i in enumerate(chosen)]
        inside = np.logical_and.reduce([part.inside[at] for part, at in zip(parts, places.at, strict=True)])
        elsewhere = "right along the border" if _is_interior(parts) else "right elsewhere"
        yield Region(_meeting(parts), inside, sum(part.cost for part in parts), elsewhere)


def _is_interior(parts: Sequence[Part]) -> bool:
    """Whether the last two axes both leave out their two ends, and nothing else is left out."""
    ends = [part for part in parts if part.words.endswith("but the first and the last")]
    return len(ends) == 2 and ends == list(parts[-2:]) and not any(part.words for part in parts[:-2])


def _meeting(parts: Sequence[Part]) -> str:
    """Return in words where the parts meet."""
    plane = [part.words for part in parts[-2:] if part.words]
    outer = " of ".join(part.words for part in reversed(parts[:-2]) if part.words)
    if len(plane) == 2:
        if _is_interior(parts):
            return "in the interior (everywhere but in the outermost rows and columns)"
        first, second = (f"{words}," if ", " in words else words for words in plane)
        return f"where {first} and {second} meet" + (f", in {outer}" if outer else "")
    return "in " + " of ".join(words for words in (*plane, outer) if words)


def _borders(places: Places) -> Iterator[Region]:
    """Yield frames of the last two axes, whole or along some of their sides, on all or one index of the others."""
    if len(places.shape) < 2 or min(places.shape[-2:]) < 3:
        return
    leading = [
        [p for p in index_sets(size, np.unique(at[places.wrong]), axis) if p.cost <= KIND + log(max(size, 2))]
        for size, at, axis in zip(places.shape[:-2], places.at[:-2], places.axes[:-2], strict=True)
    ]
    for outer in islice(product(*(parts[:4] for parts in leading)), 64):
        pairs = zip(outer, places.at, strict=False)
        kept = np.logical_and.reduce([np.ones(len(places.wrong), bool), *(p.inside[at] for p, at in pairs)])
        for thickness in range(1, min((min(places.shape[-2:]) - 1) // 2, 4) + 1):
            for words, frame, kind in _frames(places, thickness):
                if _separates(kept & frame, places):
                    named = " of ".join(part.words for part in reversed(outer) if part.words)
                    cost = kind + log(4) * (thickness - 1) + sum(part.cost for part in outer)
                    elsewhere = "right there" if "middle" in words else "right inside"
                    elsewhere = "right elsewhere" if named else elsewhere
                    yield Region(f"{words} of {named}" if named else words, kept & frame, cost, elsewhere)


def _frames(places: Places, thickness: int) -> Iterator[tuple[str, BoolArray, float]]:
    """Yield frames of a thickness: words, the compared entries on them, and what they cost."""
    (height, width), (row, column) = places.shape[-2:], places.axes[-2:]
    count = f"{thickness} " if thickness > 1 else ""
    plural = "s" if thickness > 1 else ""
    sides: list[dict[str, BoolArray]] = [
        {
            f"the first {count}{name}{plural}": at < thickness,
            f"the last {count}{name}{plural}": at >= size - thickness,
        }
        for name, at, size in zip((row, column), places.at[-2:], (height, width), strict=True)
    ]
    ways = [[*sides[0]], [*sides[1]]]
    chosen = [[[first], [second], [first, second]] for first, second in ways]
    for rows, columns in product(*chosen):
        masks = [sides[0][words] for words in rows] + [sides[1][words] for words in columns]
        frame = np.logical_or.reduce(masks)
        if len(masks) == 4 and height == width == 2 * thickness + 1:
            yield f"everywhere but in the middle ({row} {thickness}, {column} {thickness})", frame, KIND
        elif len(masks) == 4:
            words = f"along the border (the outermost {count}{row}{plural} and {column}{plural} on each side)"
            yield words, frame, KIND
        else:
            yield f"along {listed([*rows, *columns])}", frame, KIND + log(8)


def _diagonals(places: Places) -> Iterator[Region]:
    """Yield the entries on, and off, the diagonal of two axes of one size."""
    for i, j in combinations(range(len(places.shape)), 2):
        if places.shape[i] == places.shape[j] > 1:
            on = places.at[i] == places.at[j]
            names = f"{places.axes[i]} and {places.axes[j]} are equal"
            for words, inside in (
                (f"only on the diagonal, where {names}", on),
                (f"everywhere but on the diagonal, where {names}", ~on),
            ):
                if _separates(inside, places):
                    elsewhere = "right elsewhere" if inside is on else "right there"
                    yield Region(words, inside, KIND + log(6), elsewhere)
