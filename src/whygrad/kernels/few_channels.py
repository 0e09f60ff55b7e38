"""Correlation that gives few channels: products spread over taps and channels, then added where they belong.

Few channels leave most lanes of a register tile empty. Here its lanes are the taps of a row and the channels
together. For one row of the output, the tile multiplies each pixel of the rows that it sees by all of them, and
every position then adds up what belongs to it, all its channels at once:

    p[a, s, f] = Σ_r Σ_c  w[f,c,r,s] · x[n, c, i·t_v + r·d_v − top, a]
    y[n,f,i,j] = b[f] + Σ_s  p[j + s − left, s, f]

No zeros are put around the image, only around the products of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.blocks import block, tile_columns, tile_lanes, tile_rows
from whygrad.kernels.compiler import INT, intrinsic, ints, kernel, part, reads, writes
from whygrad.kernels.lanes import I64, Lanes, scaled
from whygrad.kernels.memory import clear, copy, put, release, scratch
from whygrad.kernels.padding import padded
from whygrad.kernels.pooling import inside
from whygrad.kernels.threads import SMALL_PRODUCTS, fork, workers
from whygrad.kernels.vectors import lanes_of, real
from whygrad.typing import Shape

Six = tuple[int, int, int, int, int, int]

#: Vector products saved for a pixel from which on it gains to add up afterwards, and is worth a kernel to compile.
SAVED = 128


def suits(w: Shape, dtype: np.dtype[Any], where: Six) -> bool:
    """Return whether this gains: filters (F, C, R, S) so few that their taps of a row share vectors.

    ``where`` is (t_v, t_h, d_v, d_h, top, left).
    """
    filters, channels, height, width = w
    lanes = lanes_of(dtype)
    if 2 * filters > lanes or where[1] != 1 or where[3] != 1:
        return False
    vectors = -(-filters * width // lanes)
    return 2 * vectors <= width and height * channels * (width - vectors) >= SAVED


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
                    lane = s * filters + f
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
    lanes, wide, (high, across), left = _lanes(w), x.shape[3], y.shape[2:], where[5]
    first, last = y.shape[0] * high * task // tasks, y.shape[0] * high * (task + 1) // tasks
    room, start = scratch(x.shape[2] * wide * channels, x)
    # Beside the products of the image's pixels stand zeros for the columns around it that positions see.
    before = max(left, 0)
    products = np.zeros((max(before + wide, before - left + across + width - 1) + 1) * lanes, x.dtype)
    bias = np.zeros(tile_lanes(w), x.dtype)
    if with_bias:
        bias[:filters] = b
    row = np.empty(across * filters + tile_lanes(w), x.dtype)
    own = products.ctypes.data + before * lanes * x.itemsize
    seen = products.ctypes.data + (before - left) * lanes * x.itemsize
    image, pixels, line = -1, 0, 0
    for at in range(first, last):
        if at // high != image:
            image = at // high
            pixels, _, line = padded(x, image, 1, 0, x.shape[2], 0, wide, start)
        taps = width
        if not _multiply_line(w, pixels, line, at % high, (x.shape[2], wide, lanes), where, weights, own):
            taps = 0
        add_up(x, (seen, lanes, filters, taps, bias.ctypes.data, row.ctypes.data, across))
        _write_line(row, y, image, at % high)
    release(products)
    release(bias)
    release(room)


@intrinsic
def add_up(context: Any, array: Any, arguments: Any) -> Any:
    """Add for each position of a row the products of its taps, which stand one row and one tap apart, to the bias.

    The arguments are (products, pitch of a pixel, filters, taps, bias, target, positions), addresses in bytes and
    pitches in numbers. Whole vectors are written: what is too much of one is overwritten by the next.
    """
    kind = real(array.dtype.name)

    def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
        products, pitch, filters, taps, bias, target, positions = cgutils.unpack_tuple(b, values[1], 7)
        lanes, zero, one = Lanes(b, kind, None), ir.Constant(I64, 0), ir.Constant(I64, 1)
        total = cgutils.alloca_once(b, lanes.of(kind.scalar))
        with cgutils.for_range_slice(b, zero, positions, one, I64) as (j, _):
            b.store(lanes.load(kind.scalar, bias), total)
            with cgutils.for_range_slice(b, zero, taps, one, I64) as (s, _):
                at = b.add(b.mul(b.add(j, s), pitch), b.mul(s, filters))
                value = lanes.load(kind.scalar, scaled(b, products, at, kind.size))
                b.store(b.fadd(b.load(total), value), total)
            lanes.store(b.load(total), scaled(b, target, b.mul(j, filters), kind.size))
        return context.get_dummy_value()

    return types.void(array, arguments), codegen


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
                    *(here, lanes, channels * lanes, products + (a0 * lanes + p) * size, lanes),
                    *(r1 - r0, channels, 0, 0, 0, 0),
                ),
            )
    return True


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
