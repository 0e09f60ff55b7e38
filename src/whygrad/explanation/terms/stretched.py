"""Which entries one entry serves whose array has size 1 along some axes."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Index, every
from whygrad.typing import Shape


def read_from(shape: Shape, index: Index) -> Index:
    """Return where an array of ``shape`` is read for an index of the larger array.

    Example:
        >>> read_from((3, 1), (2, 5))
        (2, 0)
    """
    return tuple(0 if size == 1 else at for size, at in zip(shape, index, strict=True))


def serving(shape: Shape, larger: Shape, index: Index) -> Iterator[Index]:
    """Yield the indices of the larger array for which an array of ``shape`` is read at ``index``.

    Example:
        >>> list(serving((3, 1), (3, 2), (2, 0)))
        [(2, 0), (2, 1)]
    """
    axes = [size == 1 for size in shape]
    for free in every(*(n for n, one in zip(larger, axes, strict=True) if one)):
        rest = iter(free)
        yield tuple(next(rest) if one else at for at, one in zip(index, axes, strict=True))
