"""Which taps of a sliding window see which entries of an image: the loops that convolutions and poolings share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from whygrad.ops.windows import Geometry


class Seen(NamedTuple):
    """Tap (r, s) of the window at output position (i, j) sees the entry (a, b) of the image."""

    i: int
    j: int
    r: int
    s: int
    a: int
    b: int


def seen_from(where: Geometry, i: int, j: int) -> Iterator[Seen]:
    """Yield what the window at (i, j) sees of the image, tap by tap, without the padding.

    Example:
        >>> from whygrad.ops.windows import geometry
        >>> [(one.a, one.b) for one in seen_from(geometry("conv2d", (3, 3), (2, 2), padding=1), 0, 1)]
        [(0, 0), (0, 1)]
    """
    for r in range(where.kernel[0]):
        for s in range(where.kernel[1]):
            a, b = entry(where, i, j, r, s)
            if inside(where, a, b):
                yield Seen(i, j, r, s, a, b)


def seeing(where: Geometry, a: int, b: int) -> Iterator[Seen]:
    """Yield every tap of every window that sees the entry (a, b).

    Example:
        >>> from whygrad.ops.windows import geometry
        >>> [(one.i, one.j) for one in seeing(geometry("conv2d", (3, 3), (2, 2)), 1, 0)]
        [(1, 0), (0, 0)]
    """
    for r in range(where.kernel[0]):
        i, left_over = divmod(a + where.padding[0] - r * where.dilation[0], where.stride[0])
        if left_over or not 0 <= i < where.output[0]:
            continue
        for s in range(where.kernel[1]):
            j, left_over = divmod(b + where.padding[2] - s * where.dilation[1], where.stride[1])
            if not left_over and 0 <= j < where.output[1]:
                yield Seen(i, j, r, s, a, b)


def seen_through(where: Geometry, r: int, s: int) -> Iterator[Seen]:
    """Yield what tap (r, s) sees of the image, window by window, without the padding."""
    for i in range(where.output[0]):
        for j in range(where.output[1]):
            a, b = entry(where, i, j, r, s)
            if inside(where, a, b):
                yield Seen(i, j, r, s, a, b)


def entry(where: Geometry, i: int, j: int, r: int, s: int) -> tuple[int, int]:
    """Return the row and column of the image that tap (r, s) sees at (i, j); outside it in the padding."""
    a = i * where.stride[0] + r * where.dilation[0] - where.padding[0]
    b = j * where.stride[1] + s * where.dilation[1] - where.padding[2]
    return a, b


def inside(where: Geometry, a: int, b: int) -> bool:
    """Return whether there is such an entry of the image."""
    return 0 <= a < where.size[0] and 0 <= b < where.size[1]


#: What the letters of formulas with windows mean.
LETTERS = "t stride, d dilation, p and q padding above and to the left; x is 0 outside the image"
