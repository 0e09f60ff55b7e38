"""Correlation that gives few channels: products spread over taps and channels, then added where they belong.

Few channels leave most lanes of a register tile empty. Here its lanes are the taps of a row and the channels
together. For one row of the output, the tile multiplies each pixel of the rows that it sees by all of them,

    p[a, s, f] = Σ_r Σ_c  w[f,c,r,s] · x[n, c, i·t_v + r·d_v − top, a]

and every pixel's products are then added side by side to the row: y[n,f,i,j] = b[f] + Σ_s p[j + s − left, s, f].
No zeros are put around the image, since only its own pixels have products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.kernels.blocks import block, tile_columns, tile_lanes, tile_rows
from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.memory import clear, copy, put, release, scratch
from whygrad.kernels.padding import padded
from whygrad.kernels.pooling import inside
from whygrad.kernels.threads import SMALL_PRODUCTS, fork, workers
from whygrad.kernels.vectors import lanes_of
from whygrad.typing import Shape

Six = tuple[int, int, int, int, int, int]

#: Vector products saved for a pixel from which on it gains to add up afterwards.
SAVED = 64


def suits(w: Shape, dtype: np.dtype[Any], x_width: int, y_width: int, where: Six) -> bool:
    """Return whether this gains: filters (F, C, R, S) so few that their taps of a row share vectors.

    ``where`` is (t_v, t_h, d_v, d_h, top, left). Every output position has to see some column of the image.
    """
    filters, channels, height, width = w
    lanes = lanes_of(dtype)
    if 2 * filters > lanes or where[1] != 1 or where[3] != 1:
        return False
    vectors = -(-filters * width // lanes)
    gains = 2 * vectors <= width and height * channels * (width - vectors) >= SAVED
    return gains and where[5] < width and y_width <= x_width + where[5]


@kernel(reads(4), reads(4), reads(1), writes(4), ints(6), INT)
def correlate(x, w, b, y, where, with_bias):
    """Write the correlation of x (N, C, H, W) with w (F, C, R, S), plus b (F,) if asked for, to y (N, F, I, J)."""
    filters, channels, height, width = w.shape
    lanes = _lanes(w)
    room, start = scratch(height * channels * lanes, w)
    clear(start, height * channels * lanes * w.itemsize)
    for r in range(height):
        for c in range(channels):
            for s in range(width):
                for f in range(filters):
                    # The last tap first: its products belong to the first of the positions that see a pixel.
                    lane = (width - 1 - s) * filters + f
                    put(w, start + ((r * channels + c) * lanes + lane) * w.itemsize, w[f, c, r, s])
    lines = y.shape[0] * y.shape[2]
    tasks = 1
    if y.size * channels * height * width > SMALL_PRODUCTS:
        tasks = min(lines, 4 * workers())
    fork(_correlate_lines, tasks, (x, w, b, y, where, with_bias, start, tasks))
    release(room)


@part
def _lanes(w):
    """Return how many lanes the taps of a row take with the channels, filled up to whole vectors."""
    return (w.shape[0] * w.shape[3] + tile_lanes(w) - 1) // tile_lanes(w) * tile_lanes(w)


@part
def _correlate_lines(task, x, w, b, y, where, with_bias, weights, tasks):
    """Do a share of the rows of the output."""
    filters, channels, _, width = w.shape
    lanes, wide, high = _lanes(w), x.shape[3], y.shape[2]
    first, last = y.shape[0] * high * task // tasks, y.shape[0] * high * (task + 1) // tasks
    room, start = scratch(x.shape[2] * wide * channels, x)
    products = np.empty(wide * lanes, x.dtype)
    begin = np.zeros((wide + width) * filters + lanes, x.dtype)
    if with_bias:
        for k in range(begin.size):
            begin[k] = b[k % filters]
    row = np.empty_like(begin)
    image, seen, line = -1, 0, 0
    for at in range(first, last):
        if at // high != image:
            image = at // high
            seen, _, line = padded(x, image, 1, 0, x.shape[2], 0, wide, start)
        row[:] = begin
        if _multiply_line(w, seen, line, at % high, (x.shape[2], wide, lanes), where, weights, products):
            for a in range(wide):
                _add(row[a * filters : a * filters + lanes], products[a * lanes : (a + 1) * lanes])
        _write_line(row[(width - 1 - where[5]) * filters :], y, image, at % high)
    release(room)


@part
def _multiply_line(w, seen, line, i, sizes, where, weights, products):
    """Write the products of all pixels that row i of the output sees, and return whether there are any."""
    channels, (high, wide, lanes) = w.shape[1], sizes
    top = i * where[0] - where[4]
    r0, r1 = inside(top, where[2], w.shape[2], high)
    if r0 >= r1:
        return False
    size, most = w.itemsize, tile_rows(w)
    pieces = (wide + most - 1) // most
    for p in range(0, lanes, tile_columns(w)):
        here = weights + (r0 * channels * lanes + p) * size
        for q in range(pieces):
            a0 = wide * q // pieces
            count = wide * (q + 1) // pieces - a0
            block(
                w,
                (
                    *(count, min(tile_columns(w), lanes - p)),
                    *(seen + ((top + r0 * where[2]) * line + a0 * channels) * size, channels, 1, where[2] * line),
                    *(here, lanes, channels * lanes, products.ctypes.data + (a0 * lanes + p) * size, lanes),
                    *(r1 - r0, channels, 0, 0, 0, 0),
                ),
            )
    return True


@part
def _add(target, values):
    for k in range(target.size):
        target[k] += values[k]


@part
def _write_line(row, y, n, i):
    """Write the positions of a row, whose channels lie side by side, to y."""
    size, filters = y.itemsize, y.shape[1]
    target = y.ctypes.data + n * y.strides[0] + i * y.strides[2]
    if y.strides[1] == size and y.strides[3] == filters * size:
        copy(target, row.ctypes.data, y.shape[3] * filters * size)
    else:
        for j in range(y.shape[3]):
            for f in range(filters):
                put(y, target + j * y.strides[3] + f * y.strides[1], row[j * filters + f])
