"""The product of two matrices in any memory order, by the register tile.

A task takes some rows of the product and a panel of its columns. It copies a piece of B, as deep as fits the
first-level cache beside the rows and as wide as the tile, to scratch space, and runs the tile down A with it.
"""

from __future__ import annotations

from whygrad.kernels.blocks import block, tile_columns, tile_rows
from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.memory import clear, copy, fetch, put, release, scratch
from whygrad.kernels.threads import SMALL_PRODUCTS, fork, workers

#: Depth of the piece of B that is copied at a time.
DEPTH = 256


@kernel(reads(2), reads(2), reads(1), writes(2, dense=True), INT, INT)
def multiply(a, b, bias, c, with_bias, gated):
    """Write a (M, K) times b (K, N), plus bias (N,) and cut off at 0 if asked for, to c (M, N)."""
    rows, columns = c.shape
    panels = (columns + tile_columns(c) - 1) // tile_columns(c)
    blocks = 1
    if rows * columns * a.shape[1] > SMALL_PRODUCTS:
        while panels * blocks < 2 * workers() and rows > 2 * tile_rows(c) * blocks:
            blocks *= 2
        fork(_multiply_panel, panels * blocks, (a, b, bias, c, with_bias, gated, blocks))
    else:
        for task in range(panels):
            _multiply_panel(task, a, b, bias, c, with_bias, gated, blocks)


@part
def _multiply_panel(task, a, b, bias, c, with_bias, gated, blocks):
    """Compute some rows of one panel of columns."""
    wide, most, size = tile_columns(c), tile_rows(c), c.itemsize
    panel, of_rows = task // blocks, task % blocks
    first, last = c.shape[0] * of_rows // blocks, c.shape[0] * (of_rows + 1) // blocks
    n0 = panel * wide
    columns, depth = min(wide, c.shape[1] - n0), a.shape[1]
    room, start = scratch(min(depth, DEPTH) * wide, c)
    target = c.ctypes.data + (first * c.shape[1] + n0) * size
    pieces = (last - first + most - 1) // most
    for k0 in range(0, depth, DEPTH):
        deep = min(DEPTH, depth - k0)
        _pack(b, k0, deep, n0, columns, start)
        begin = 1 if k0 else 2 if with_bias else 0
        cut = gated if k0 + deep == depth else 0
        for q in range(pieces):
            m0 = (last - first) * q // pieces
            count = (last - first) * (q + 1) // pieces - m0
            here = a.ctypes.data + (first + m0) * a.strides[0] + k0 * a.strides[1]
            block(
                c,
                (
                    *(count, columns, here, a.strides[0] // size, a.strides[1] // size, 0, start, wide, 0),
                    *(target + m0 * c.shape[1] * size, c.shape[1], 1, deep),
                    *(begin, bias.ctypes.data + n0 * size, cut, 0),
                ),
            )
    release(room)


@part
def _pack(b, k0, deep, n0, columns, target):
    """Copy a piece of B to (deep, lanes), filled up with zeros."""
    wide, size = tile_columns(b), b.itemsize
    if columns < wide:
        clear(target, deep * wide * size)
    origin = b.ctypes.data + k0 * b.strides[0] + n0 * b.strides[1]
    if b.strides[1] == size:
        for k in range(deep):
            copy(target + k * wide * size, origin + k * b.strides[0], columns * size)
    else:
        for n in range(columns):
            for k in range(deep):
                put(b, target + (k * wide + n) * size, fetch(b, origin + k * b.strides[0] + n * b.strides[1]))
