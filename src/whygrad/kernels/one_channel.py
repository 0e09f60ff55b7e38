"""Convolution from one channel to one, of stride 1: whole rows of an image at a time.

With a single filter the lanes of a register tile would stay empty if they were filters. Here they are the columns
of the image, and the sum runs over the taps.
"""

from __future__ import annotations

import numpy as np
from numba import types

from whygrad.kernels.blocks import block, tile_columns
from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.mathematics import dot
from whygrad.kernels.memory import release, scratch
from whygrad.kernels.padding import pad_image
from whygrad.kernels.threads import fork
from whygrad.typing import Array

SUMS = types.Array(types.float64, 2, "C")
Four = tuple[int, int, int, int]


def suits(w_shape: tuple[int, ...], stride: tuple[int, int]) -> bool:
    """Return whether these are filters (1, 1, R, S) that take every position."""
    return w_shape[0] == w_shape[1] == 1 and stride == (1, 1)


def correlate(x: Array, w: Array, bias: Array, y: Array, where: Four) -> None:
    """Write the correlation of x (N, 1, H, W) with w (1, 1, R, S) to y; ``where`` is (d_v, d_h, top, left)."""
    _correlate[x.dtype](
        x, w[0, 0], bias, y[:, 0], where, min(tasks_for(2 * y.size), max(1, y.shape[0] * y.shape[2]))
    )


def weight_gradient(x: Array, dy: Array, dw: Array, db: Array, where: Four) -> None:
    """Write dw (1, 1, R, S) and db (1,)."""
    tasks = min(tasks_for(dy.size), dy.shape[0] * dy.shape[2])
    sums = np.zeros((max(1, tasks), dw.size + 1))
    if tasks:
        _weight_gradient[x.dtype](_planes(x), _planes(dy), sums, dw.shape[3], where, tasks)
    total = sums.sum(axis=0)
    dw[...] = total[:-1].reshape(dw.shape)
    db[0] = total[-1]


def _planes(x: Array) -> Array:
    return np.ascontiguousarray(x[:, 0])


@kernel(reads(4), reads(2), reads(1), writes(3, dense=True), ints(4), INT)
def _correlate(x, w, bias, y, where, tasks):
    fork(_correlate_part, tasks, (x, w, bias, y, where, tasks))


@part
def _correlate_part(task, x, w, bias, y, where, tasks):
    """Run the register tile with one row: its lanes are columns, its depth is a row of taps."""
    dilation, apart, top, left = where
    size, lanes, (taps_v, taps_h) = x.itemsize, tile_columns(x), w.shape
    high, wide = y.shape[1:]
    line = wide + (taps_h - 1) * apart
    lines = y.shape[0] * high
    at, last = lines * task // tasks, lines * (task + 1) // tasks
    room, start = scratch((min(high, last - at) + (taps_v - 1) * dilation) * line + lanes, x)
    weights = np.ascontiguousarray(w)
    offsets = np.empty(lanes, x.dtype)
    offsets[:] = bias[0]
    while at < last:
        n, i = at // high, at % high
        rows = min(high - i, last - at)
        # Always a copy: the tile reads whole vectors, past the last column.
        pad_image(x, n, i - top, rows + (taps_v - 1) * dilation, left, line, start, x.strides[3] == size)
        for v in range(rows):
            for j in range(0, wide, lanes):
                here = y.ctypes.data + ((at + v) * wide + j) * size
                block(
                    x,
                    (
                        *(1, min(lanes, wide - j), weights.ctypes.data, 0, 1, taps_h),
                        *(start + (v * line + j) * size, apart, dilation * line, here, wide),
                        *(taps_v, taps_h, 2, offsets.ctypes.data, 0, 0),
                    ),
                )
        at += rows
    release(room)


@part
def _overlap(shift, wide, out):
    """Return from which output column to which the shifted one lies in the image, and the shift."""
    begin = min(max(0, -shift), out)
    return begin, max(begin, min(out, wide - shift)), shift


@kernel(reads(3, dense=True), reads(3, dense=True), SUMS, INT, ints(4), INT)
def _weight_gradient(x, dy, sums, width, where, tasks):
    fork(_weight_gradient_part, tasks, (x, dy, sums, width, where, tasks))


@part
def _weight_gradient_part(task, x, dy, sums, width, where, tasks):
    dilation, apart, top, left = where
    high, lines = dy.shape[1], dy.shape[0] * dy.shape[1]
    taps = sums.shape[1] - 1
    for at in range(lines * task // tasks, lines * (task + 1) // tasks):
        n, i = at // high, at % high
        sums[task, taps] += _sum(dy[n, i])
        for r in range(taps // width):
            h = i + r * dilation - top
            if 0 <= h < x.shape[1]:
                for s in range(width):
                    begin, end, shift = _overlap(s * apart - left, x.shape[2], dy.shape[2])
                    sums[task, r * width + s] += dot(dy[n, i, begin:end], x[n, h, begin + shift : end + shift])


@part(reorder=True)
def _sum(a):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j]
    return total
