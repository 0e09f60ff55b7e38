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
from whygrad.kernels.winners import find_winners, give_to_winners
from whygrad.typing import Array, IntArray
from whygrad.workspace import empty


def forward(x: Array, where: Windows, index: np.dtype[Any]) -> tuple[Array, IntArray]:
    """Return the maximum of each window and the index, of this dtype, of the tap that saw it."""
    shape, dtype = x.shape, x.dtype
    made = (shape[0], *where.output, shape[1])
    y, winner = empty(made, dtype), empty(made, index)
    _FORWARD[index][dtype](
        vector(x, "channels last"), y.ravel(), winner.ravel(), sizes_of(shape, where), tasks_for(x.size)
    )
    winners: Any = winner.transpose(0, 3, 1, 2)
    return y.transpose(0, 3, 1, 2), winners


def backward(winner: Any, where: Windows, dy: Array) -> Array:
    """Return dx: each window's dy at the entry that won."""
    (n, c, _, _), dtype = dy.shape, dy.dtype
    dx = empty((n, *where.size, c), dtype)
    _BACKWARD[winner.dtype][dtype](
        vector(winner, "channels last"),
        vector(dy, "channels last"),
        dx.ravel(),
        sizes_of((n, c, *where.size), where),
        tasks_for(dx.size),
    )
    return dx.transpose(0, 3, 1, 2)


def _forward(x, y, winner, sizes, tasks):
    fork(_forward_part, tasks, (x, y, winner, sizes, tasks))


@part
def _forward_part(task, x, y, winner, sizes, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    for line in range(n * rows * task // tasks, n * rows * (task + 1) // tasks):
        a = line % rows * stride_v - top
        r0, r1 = inside(a, dilation_v, taps_v, h)
        for j in range(columns):
            b = j * stride_h - left
            s0, s1 = inside(b, dilation_h, taps_h, w)
            first, to = ((line // rows * h + a) * w + b) * c, (line * columns + j) * c
            find_winners(
                x,
                winner,
                (
                    *(x.ctypes.data + first * x.itemsize, dilation_v * w * c, dilation_h * c),
                    *(r0, r1, s0, s1, taps_h),
                    *(y.ctypes.data + to * y.itemsize, winner.ctypes.data + to * winner.itemsize, c),
                ),
            )


def _backward(winner, dy, dx, sizes, tasks):
    fork(_backward_part, tasks, (winner, dy, dx, sizes, tasks))


@part
def _backward_part(task, winner, dy, dx, sizes, tasks):
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
    np.dtype(i.name): kernel(reads(1), writes(1), types.Array(i, 1, "C"), SIZES, INT)(_forward) for i in _INDICES
}
_BACKWARD = {
    np.dtype(i.name): kernel(types.Array(i, 1, "C", readonly=True), reads(1), writes(1), SIZES, INT)(_backward)
    for i in _INDICES
}
