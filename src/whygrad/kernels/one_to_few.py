"""Convolution from one channel to a few, of stride 1: what the first layer of a network for grey images does.

Few filters leave most lanes of a register tile empty. Forward its lanes are columns of the image and its rows the
filters; what comes out column by column is then turned to lie channels-last. In the gradient of the filters its
lanes are the taps:

    dw[f,r,s] = Σ_n Σ_i Σ_j  dy[n,f,i,j] · x̂[n, i + r − top, j + s − left]
    db[f]     = Σ_n Σ_i Σ_j  dy[n,f,i,j] · 1

The R rows of the image that an output row sees are woven into each other, column by column, with a one after each
column, so that all taps of a position stand side by side, and those of the next position R + 1 numbers on:

    woven[q·(R+1) + h mod R] = x̂[h, q]        woven[q·(R+1) + R] = 1

From one output row to the next a single row is replaced, and the rows of taps trade places in turn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.kernels.blocks import block, tile_columns
from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.memory import clear, fetch, put, release, scratch
from whygrad.kernels.padding import pad_image
from whygrad.kernels.threads import fork
from whygrad.kernels.vectors import VECTORS, lanes_of
from whygrad.typing import Array, Shape

Four = tuple[int, int, int, int]


def suits(w: Shape, dtype: np.dtype[Any], stride: tuple[int, int]) -> bool:
    """Return whether filters (F, 1, R, S) are so few that they would fill no more than half of a vector."""
    return w[1] == 1 and stride == (1, 1) and 1 < w[0] <= lanes_of(dtype) // 2


def suits_gradient(w: Shape, dtype: np.dtype[Any], dilation: tuple[int, int]) -> bool:
    """Return whether their gradient can be summed up here as well: the taps and their ones fit the tile."""
    return (w[2] + 1) * w[3] <= VECTORS * lanes_of(dtype) and dilation == (1, 1)


def correlate(x: Array, w: Array, bias: Array, y: Array, where: Four, with_bias: bool) -> None:
    """Write the correlation of x (N, 1, H, W) with w (F, 1, R, S) to y; ``where`` is (d_v, d_h, top, left)."""
    tasks = min(tasks_for(y.size), max(1, y.shape[0] * y.shape[2]))
    _correlate[x.dtype](x, np.ascontiguousarray(w[:, 0]), bias, y, where, with_bias, tasks)


def weight_gradient(x: Array, dy: Array, dw: Array, db: Array, before: tuple[int, int]) -> None:
    """Write dw (F, 1, R, S) and db (F,); ``before`` is how many rows and columns of zeros come first."""
    # Copied if it lies otherwise, so that the same numbers give the same bits in any memory order.
    dy = np.ascontiguousarray(dy.transpose(0, 2, 3, 1))
    tasks = max(1, min(tasks_for(dy.size), dy.shape[0] * dy.shape[1]))
    _weight_gradient[x.dtype](x[:, 0], dy, dw[:, 0], db, before, tasks)


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


@kernel(reads(3), reads(4, dense=True), writes(3), writes(1), ints(2), INT)
def _weight_gradient(x, dy, dw, db, before, tasks):
    filters, high, wide = dw.shape
    sums = np.zeros((tasks, high, filters, tile_columns(x)))
    fork(_weight_gradient_part, tasks, (x, dy, sums, wide, before, tasks))
    for task in range(1, tasks):
        sums[0] += sums[task]
    for f in range(filters):
        db[f] = sums[0, :, f, high].sum()
        for r in range(high):
            for s in range(wide):
                total = 0.0
                for turn in range(high):
                    total += sums[0, turn, f, s * (high + 1) + (turn + r) % high]
                dw[f, r, s] = total


@part
def _weight_gradient_part(task, x, dy, sums, taps_h, before, tasks):
    """Add up a share of the output rows, an image at a time in the float type."""
    (_, taps_v, filters, lanes), (high, wide), (top, left) = sums.shape, dy.shape[1:3], before
    size, pitch, columns = x.itemsize, taps_v + 1, wide + taps_h - 1
    lines = dy.shape[0] * high
    at, last = lines * task // tasks, lines * (task + 1) // tasks
    room, woven = scratch(columns * pitch + lanes, x)
    products = np.empty((taps_v, filters, lanes), x.dtype)  # of the turns in which the rows of taps stand
    while at < last:
        n, i = at // high, at % high
        rows = min(high - i, last - at)
        products[:] = 0
        _begin(x, woven, columns, pitch, lanes)
        for v in range(-taps_v + 1, rows):
            h = v + taps_v - 1
            _weave(x[n], i + h - top, left, (columns, pitch), woven + h % taps_v * size)
            if v >= 0:
                row = dy.ctypes.data + (at + v) * wide * filters * size
                turn = products.ctypes.data + v % taps_v * filters * lanes * size
                block(
                    x,
                    (
                        *(filters, pitch * taps_h, row, 1, filters, 0, woven, pitch, 0),
                        *(turn, lanes, 1, wide, 1, 0, 0, 0),
                    ),
                )
        sums[task] += products
        at += rows
    release(room)


@part
def _begin(x, woven, columns, pitch, lanes):
    """Write zeros everywhere, and the ones."""
    size, one = x.itemsize, x.dtype.type(1)
    clear(woven, (columns * pitch + lanes) * size)
    for q in range(columns):
        put(x, woven + (q * pitch + pitch - 1) * size, one)


@part
def _weave(image, h, left, shape, target):
    """Put row h of an image, zeros where there is none, to every ``pitch``-th place."""
    columns, pitch = shape
    size, zero = image.itemsize, image.dtype.type(0)
    begin = min(max(left, 0), columns)
    end = max(begin, min(columns, image.shape[1] + left))
    inside = 0 <= h < image.shape[0]
    origin = image.ctypes.data + h * image.strides[0] - left * image.strides[1]
    for q in range(begin, end):
        value = fetch(image, origin + q * image.strides[1]) if inside else zero
        put(image, target + q * pitch * size, value)
