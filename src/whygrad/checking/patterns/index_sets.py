"""Sets of indices of one axis that have a name: the last row, every second column, all samples but one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import lgamma, log
from typing import NamedTuple

import numpy as np

from whygrad.typing import BoolArray, IntArray

#: Cost of saying which kind of set it is, in nats.
KIND = log(10)
ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}


class Part(NamedTuple):
    """A set of indices of one axis."""

    words: str  #: empty for all
    inside: BoolArray
    cost: float


def index_sets(size: int, hit: IntArray, axis: str) -> list[Part]:
    """Return the sets of indices along an axis that have a name and hold all those hit.

    Args:
        size: of the axis.
        hit: the indices that have to be in the set, sorted.
        axis: its name.

    Example:
        >>> [part.words for part in index_sets(6, np.array([1, 3, 5]), "row")]
        ['', 'rows 1, 3 and 5', 'every row but the first', 'every second row, from row 1', \
'every row but row 2', 'every row but row 4']
    """
    index = np.arange(size)
    low, high = int(hit[0]), int(hit[-1])
    parts = [Part("", np.ones(size, bool), 0.0)]
    if len(hit) == size:
        return parts
    if low == high:
        ends = {0: f"the first {axis}", size - 1: f"the last {axis}"}
        parts.append(Part(ends.get(low, f"{axis} {low}"), index == low, KIND + log(2 if low in ends else size)))
    elif len(hit) == 2 and (low, high) == (0, size - 1):
        parts.append(Part(f"the first and the last {axis}", (index == low) | (index == high), KIND))
    elif len(hit) <= 4:
        words = f"{axis}s {listed([str(i) for i in hit])}"
        parts.append(Part(words, np.isin(index, hit), KIND + _choose(size, len(hit))))
    return [*parts, *_stretches(size, low, high, axis), *_combs(size, hit, axis), *_all_but(size, hit, axis)]


def _stretches(size: int, low: int, high: int, axis: str) -> Iterator[Part]:
    """Yield the stretches of neighbouring indices that hold low to high."""
    index = np.arange(size)
    if 0 < low < high:
        words = f"the last {size - low} {axis}s" if low > 1 else f"every {axis} but the first"
        yield Part(words, index >= low, KIND + (log(size) if low > 1 else log(2)))
    if low < high < size - 1:
        words = f"the first {high + 1} {axis}s" if high < size - 2 else f"every {axis} but the last"
        yield Part(words, index <= high, KIND + (log(size) if high < size - 2 else log(2)))
    if 0 < low < high < size - 1:
        inner = low == 1 and high == size - 2
        words = f"every {axis} but the first and the last" if inner else f"{axis}s {low} to {high}"
        yield Part(words, (index >= low) & (index <= high), KIND + (log(2) if inner else 2 * log(size)))


def _combs(size: int, hit: IntArray, axis: str) -> Iterator[Part]:
    """Yield every second, third, ... index and what lies between them."""
    index = np.arange(size)
    for step in range(2, min(size // 2, 8) + 1):
        for first in range(step):
            comb = index % step == first
            if len(hit) > 1 and comb[hit].all():
                yield Part(f"every {ORDINALS[step]} {axis}, from {axis} {first}", comb, KIND + log(step))
            if step > 2 and not comb[hit].any():
                words = f"every {axis} but every {ORDINALS[step]}, from {axis} {first}"
                yield Part(words, ~comb, KIND + 2 * log(step))


def _all_but(size: int, hit: IntArray, axis: str) -> Iterator[Part]:
    """Yield all indices but one, where few are not hit."""
    missed = np.setdiff1d(np.arange(1, size - 1), hit)
    if size >= 3 and size - len(hit) <= 4:
        for left_out in missed:
            yield Part(f"every {axis} but {axis} {left_out}", np.arange(size) != left_out, KIND + log(size))


def _choose(size: int, count: int) -> float:
    """Return the logarithm of the number of ways to choose."""
    return lgamma(size + 1) - lgamma(count + 1) - lgamma(size - count + 1)


def listed(items: Iterable[str]) -> str:
    """Return the items as a list in words.

    Example:
        >>> listed(["row 1", "row 3", "row 4"])
        'row 1, row 3 and row 4'
    """
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
