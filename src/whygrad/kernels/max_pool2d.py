"""Compiled twin of ``max_pool2d``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for, vector
from whygrad.kernels.memory import clear
from whygrad.kernels.pooling import SIZES, Windows, inside, sizes_of, windows_of
from whygrad.kernels.threads import fork
from whygrad.kernels.winners import find_winners, give_to_taps, give_to_winners
from whygrad.typing import Array, IntArray
from whygrad.workspace import empty


def forward(x: Array, where: Windows, index: np.dtype[Any], *, gated: bool) -> tuple[Array, IntArray]:
    """Return the maximum of each window and the index, of this dtype, of the tap that saw it.

    With ``gated`` a maximum that is not positive becomes 0 and its index −1, of which a byte has the bits.
    """
    shape, dtype = x.shape, x.dtype
    made = (shape[0], *where.output, shape[1])
    y, winner = empty(made, dtype), empty(made, index)
    _FORWARD[index][dtype](
        vector(x, "channels last"), y.ravel(), winner.ravel(), sizes_of(shape, where), gated, tasks_for(x.size)
    )
    winners: Any = winner.transpose(0, 3, 1, 2)
    return y.transpose(0, 3, 1, 2), winners


def backward(winner: Any, where: Windows, dy: Array) -> Array:
    """Return dx: each window's dy at the entry that won."""
    (n, c, _, _), dtype = dy.shape, dy.dtype
    dx = empty((n, *where.size, c), dtype)
    run = _GIVE_APART if _lie_apart(where) else _GATHER
    run[winner.dtype][dtype](
        vector(winner, "channels last"),
        vector(dy, "channels last"),
        dx.ravel(),
        sizes_of((n, c, *where.size), where),
        tasks_for(dx.size),
    )
    return dx.transpose(0, 3, 1, 2)


def _lie_apart(where: Windows) -> bool:
    """Return whether no two windows see the same pixel."""
    (v, h), (taps_v, taps_h), (dilation_v, dilation_h) = where.stride, where.kernel, where.dilation
    return v > (taps_v - 1) * dilation_v and h > (taps_h - 1) * dilation_h


def _forward(x, y, winner, sizes, gated, tasks):
    fork(_forward_part, tasks, (x, y, winner, sizes, gated, tasks))


@part
def _forward_part(task, x, y, winner, sizes, gated, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    for line in range(n * rows * task // tasks, n * rows * (task + 1) // tasks):
        a = line % rows * stride_v - top
        r0, r1 = inside(a, dilation_v, taps_v, h)
        start, j = (line // rows * h + a) * w, 0
        while j < columns:
            b = j * stride_h - left
            s0, s1, windows = _alike(j, b, sizes)
            first, to = (start + b) * c, (line * columns + j) * c
            find_winners(
                x,
                winner,
                (
                    *(x.ctypes.data + first * x.itemsize, dilation_v * w * c, dilation_h * c),
                    *(r0, r1, s0, s1, taps_h),
                    *(y.ctypes.data + to * y.itemsize, winner.ctypes.data + to * winner.itemsize, c),
                    *(windows, stride_h * c, gated),
                ),
            )
            j += windows


@part
def _alike(j, b, sizes):
    """Return which taps in a row of window j see the image, and for how many windows from this one on that is so.

    These are the first tap, the one after the last, and 1 at a border, else all windows before the next border.
    """
    w, taps_h, stride_h, dilation_h, columns = sizes[3], sizes[5], sizes[7], sizes[9], sizes[13]
    room = w - 1 - (taps_h - 1) * dilation_h - b
    if b < 0 or room < 0:
        s0, s1 = inside(b, dilation_h, taps_h, w)
        return s0, s1, 1
    return 0, taps_h, min(columns - j, room // stride_h + 1)


def _give_apart(winner, dy, dx, sizes, tasks):
    fork(_give_apart_part, tasks, (winner, dy, dx, sizes, tasks))


@part
def _give_apart_part(task, winner, dy, dx, sizes, tasks):
    """Give each window's dy to its pixels, of which no two windows share one.

    A row of windows fills a band of rows of dx.
    """
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    covered = taps_v == stride_v and taps_h == stride_h and left == 0 and columns * stride_h == w
    for line in range(n * rows * task // tasks, n * rows * (task + 1) // tasks):
        image, i = line // rows, line % rows
        a = i * stride_v - top
        first = 0 if i == 0 else a
        last = h if i == rows - 1 else min(h, a + stride_v)
        if not covered or first < a or last > a + stride_v:
            clear(dx.ctypes.data + (image * h + first) * w * c * dx.itemsize, (last - first) * w * c * dx.itemsize)
        r0, r1 = inside(a, dilation_v, taps_v, h)
        start, j = (image * h + a) * w, 0
        while j < columns:
            b = j * stride_h - left
            s0, s1, windows = _alike(j, b, sizes)
            at, to = (line * columns + j) * c, (start + b) * c
            give_to_taps(
                dy,
                winner,
                (
                    *(winner.ctypes.data + at * winner.itemsize, dy.ctypes.data + at * dy.itemsize),
                    *(dx.ctypes.data + to * dx.itemsize, dilation_v * w * c, dilation_h * c),
                    *(r0, r1, s0, s1, taps_h, c, windows, stride_h * c),
                ),
            )
            j += windows


def _gather(winner, dy, dx, sizes, tasks):
    fork(_gather_part, tasks, (winner, dy, dx, sizes, tasks))


@part
def _gather_part(task, winner, dy, dx, sizes, tasks):
    """Fill rows of dx, each from the windows that see it: whoever does a row does it alone."""
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    seen_h = windows_of(w, left, taps_h, stride_h, dilation_h, columns)
    seen_v = windows_of(h, top, taps_v, stride_v, dilation_v, rows)
    for line in range(n * h * task // tasks, n * h * (task + 1) // tasks):
        image, row = line // h, line % h
        for b in range(w):
            to, add = dx.ctypes.data + (line * w + b) * c * dx.itemsize, 0
            for r in range(taps_v):
                i = seen_v[row, r]
                if i < 0:
                    continue
                for s in range(taps_h):
                    j = seen_h[b, s]
                    if j < 0:
                        continue
                    at = ((image * rows + i) * columns + j) * c
                    given = dy.ctypes.data + at * dy.itemsize
                    won = winner.ctypes.data + at * winner.itemsize
                    give_to_winners(dy, winner, (won, given, to, r * taps_h + s, c, add))
                    add = 1
            if not add:
                clear(to, c * dx.itemsize)


_INDICES = (types.uint8, types.int32)
_FORWARD = {
    np.dtype(i.name): kernel(reads(1), writes(1), types.Array(i, 1, "C"), SIZES, INT, INT)(_forward)
    for i in _INDICES
}
_GIVE_APART, _GATHER = (
    {
        np.dtype(i.name): kernel(types.Array(i, 1, "C", readonly=True), reads(1), writes(1), SIZES, INT)(function)
        for i in _INDICES
    }
    for function in (_give_apart, _gather)
)
