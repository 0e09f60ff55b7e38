"""Convolution from one channel to a few, of stride 1: what the first layer of a network for grey images does.

Few filters leave most lanes of a register tile empty. Forward its lanes are columns of the image and its rows the
filters; what comes out column by column is then turned to lie channels-last. In the gradient of the filters its
lanes are the taps, laid out side by side for each output position, with a one after the last that adds up dy:

    dw[f,r,s] = Σ_n Σ_i Σ_j  dy[n,f,i,j] · x̂[n, i + r·d_v − top, j + s·d_h − left]
    db[f]     = Σ_n Σ_i Σ_j  dy[n,f,i,j] · 1
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from whygrad.kernels.blocks import block, number_size, tile_columns
from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.memory import copy, fetch, put, release, scratch
from whygrad.kernels.padding import pad_image
from whygrad.kernels.threads import fork
from whygrad.kernels.vectors import VECTORS, lanes_of
from whygrad.typing import Array, Shape

SUMS = types.Array(types.float64, 3, "C")
Four = tuple[int, int, int, int]

#: Rows of dy whose products are added up in the float type before they are added to the others in float64.
ROWS = 4
#: Numbers that are copied at a time where a row of taps is laid out, a constant so that no loop is needed.
PIECE = 8


def suits(w: Shape, dtype: np.dtype[Any], stride: tuple[int, int]) -> bool:
    """Return whether filters (F, 1, R, S) are so few that they would fill no more than half of a vector."""
    return w[1] == 1 and stride == (1, 1) and 1 < w[0] <= lanes_of(dtype) // 2


def suits_gradient(w: Shape, dtype: np.dtype[Any], dilation: int) -> bool:
    """Return whether their gradient can be summed up here as well: the taps fit the tile."""
    return w[2] * w[3] < VECTORS * lanes_of(dtype) and w[3] <= PIECE and dilation == 1


def correlate(x: Array, w: Array, bias: Array, y: Array, where: Four, with_bias: bool) -> None:
    """Write the correlation of x (N, 1, H, W) with w (F, 1, R, S) to y; ``where`` is (d_v, d_h, top, left)."""
    tasks = min(tasks_for(y.size), max(1, y.shape[0] * y.shape[2]))
    _correlate[x.dtype](x, np.ascontiguousarray(w[:, 0]), bias, y, where, with_bias, tasks)


def weight_gradient(x: Array, dy: Array, dw: Array, db: Array, where: Four) -> None:
    """Write dw (F, 1, R, S) and db (F,)."""
    # Copied if it lies otherwise, so that the same numbers give the same bits in any memory order.
    dy = np.ascontiguousarray(dy.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    tasks = max(1, min(tasks_for(dy.size), dy.shape[0] * dy.shape[2]))
    _weight_gradient[x.dtype](x, dy, dw, db, where, tasks)


@kernel(reads(4), reads(3, dense=True), reads(1), writes(4), ints(4), INT, INT)
def _correlate(x, w, bias, y, where, with_bias, tasks):
    fork(_correlate_part, tasks, (x, w, bias, y, where, with_bias, tasks))


@part
def _correlate_part(task, x, w, bias, y, where, with_bias, tasks):
    dilation, apart, top, left = where
    size, lanes, (filters, taps_v, taps_h) = x.itemsize, tile_columns(x), w.shape
    high, wide = y.shape[2:]
    line = wide + (taps_h - 1) * apart
    lines = y.shape[0] * high
    at, last = lines * task // tasks, lines * (task + 1) // tasks
    room, start = scratch((min(high, last - at) + (taps_v - 1) * dilation) * line + lanes, x)
    sums, planes = scratch(filters * lanes, x)
    while at < last:
        n, i = at // high, at % high
        rows = min(high - i, last - at)
        # Always a copy: the tile reads whole vectors, past the last column.
        pad_image(x, n, i - top, rows + (taps_v - 1) * dilation, left, line, start, x.strides[3] == size)
        for v in range(rows):
            for j in range(0, wide, lanes):
                columns = min(lanes, wide - j)
                block(
                    x,
                    (
                        *(filters, columns, w.ctypes.data, taps_v * taps_h, 1, taps_h),
                        *(start + (v * line + j) * size, apart, dilation * line, planes, lanes),
                        *(taps_v, taps_h, 0, 0, 0, 0),
                    ),
                )
                _turn(planes, lanes, columns, bias, with_bias, y, (n, i + v, j))
        at += rows
    release(room)
    release(sums)


@part
def _turn(planes, lanes, columns, bias, with_bias, y, place):
    """Write columns of each filter to y, where those of a pixel lie side by side."""
    size, (n, i, j) = y.itemsize, place
    target = y.ctypes.data + n * y.strides[0] + i * y.strides[2] + j * y.strides[3]
    for f in range(y.shape[1]):
        offset = bias[f] if with_bias else y.dtype.type(0)
        origin, to = planes + f * lanes * size, target + f * y.strides[1]
        for k in range(columns):
            put(y, to + k * y.strides[3], fetch(y, origin + k * size) + offset)


@kernel(reads(4), reads(4), writes(4), writes(1), ints(4), INT)
def _weight_gradient(x, dy, dw, db, where, tasks):
    filters, _, taps_v, taps_h = dw.shape
    sums = np.zeros((tasks, filters, taps_v * taps_h + 1))
    fork(_weight_gradient_part, tasks, (x, dy, sums, taps_h, where, tasks))
    for f in range(filters):
        for tap in range(taps_v * taps_h + 1):
            total = 0.0
            for task in range(tasks):
                total += sums[task, f, tap]
            if tap < taps_v * taps_h:
                dw[f, 0, tap // taps_h, tap % taps_h] = total
            else:
                db[f] = total


@part
def _weight_gradient_part(task, x, dy, sums, taps_h, where, tasks):
    dilation, _, top, left = where
    size, lanes, (_, filters, ones) = x.itemsize, tile_columns(x), sums.shape
    taps_v = (ones - 1) // taps_h
    high, wide = dy.shape[2:]
    line = wide + taps_h - 1
    lines = dy.shape[0] * high
    at, last = lines * task // tasks, lines * (task + 1) // tasks
    room_x, start = scratch((ROWS + (taps_v - 1) * dilation) * line + PIECE, x)
    room, patches = scratch(ROWS * wide * lanes + PIECE, x)
    products = np.empty((filters, lanes), x.dtype)
    while at < last:
        n, i = at // high, at % high
        rows = min(high - i, last - at, ROWS)
        pad_image(x, n, i - top, rows + (taps_v - 1) * dilation, left, line, start, x.strides[3] == size)
        for v in range(rows):
            _lay_out(
                x, start + v * line * size, line * dilation, patches + v * wide * lanes * size, wide, taps_v, taps_h
            )
        block(
            x,
            (
                *(filters, ones, dy.ctypes.data + at * wide * filters * size, 1, filters, 0),
                *(patches, lanes, 0, products.ctypes.data, lanes, 1, rows * wide, 0, 0, 0, 0),
            ),
        )
        for f in range(filters):
            total, more = sums[task, f], products[f]
            for tap in range(total.size):
                total[tap] += more[tap]
        at += rows
    release(room_x)
    release(room)


@part
def _lay_out(x, origin, line, target, wide, taps_v, taps_h):
    """Copy what each output position of a row sees, taps side by side, with a one after them.

    Whole pieces are copied: what is too much of one is overwritten by the next. A row of taps at a time is quicker,
    but too much of a position's last one must not reach the next position, whose first row stands already.
    """
    size, lanes, one = number_size(x), tile_columns(x), x.dtype.type(1)
    if (taps_v - 1) * taps_h + PIECE <= lanes:
        for r in range(taps_v):
            for j in range(wide):
                _lay_row(target, origin, line, lanes, taps_h, size, r, j)
    else:
        for j in range(wide):
            for r in range(taps_v):
                _lay_row(target, origin, line, lanes, taps_h, size, r, j)
    for j in range(wide):
        put(x, target + (j * lanes + taps_v * taps_h) * size, one)


@part
def _lay_row(target, origin, line, lanes, taps_h, size, r, j):
    copy(target + (j * lanes + r * taps_h) * size, origin + (r * line + j) * size, PIECE * size)
