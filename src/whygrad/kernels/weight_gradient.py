"""The gradient of a correlation with respect to its filters and its bias.

    dw[f,c,r,s] = Σ_n Σ_i Σ_j  dy[n,f,i,j] · x̂[n, c, i·t_v + r·d_v − top, j·t_h + s·d_h − left]

A task takes a share of the images and their rows, and sums in a gradient of its own, laid out as panels
``[p][r][s][c][lane]``; these are added up at the end, always in the same order. The rows of a register tile are
taps and channels (s, c), its lanes are filters, and the sum runs over output positions.
"""

from __future__ import annotations

import numpy as np

from whygrad.kernels.blocks import block, tile_columns, tile_rows
from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.memory import clear, copy, fetch, put, release, scratch
from whygrad.kernels.padding import pad_rows
from whygrad.kernels.threads import fork, workers

#: Bytes of scratch space for the images and dy of one round, which stay in the second-level cache.
ROUND = 384 * 1024
#: Products below which a second thread costs more than it saves.
SMALL = 60_000


@kernel(reads(4), reads(4), writes(4), writes(1), ints(6), INT)
def weight_gradient(x, dy, dw, db, where, with_bias):
    """Write dw (F, C, R, S) and, with ``with_bias``, db (F,); ``where`` is (t_v, t_h, d_v, d_h, top, left)."""
    filters, channels, height, width = dw.shape
    columns = tile_columns(dw)
    panels = (filters + columns - 1) // columns
    own = panels * height * width * channels * columns
    small = dy.size * channels * height * width <= SMALL
    tasks = 1 if small else max(1, min(workers(), dy.shape[0] * dy.shape[2]))
    room, start = scratch(tasks * own, dw)
    sums = np.zeros((tasks, filters))
    fork(_sum_up, tasks, (x, dy, dw, start, sums, where, with_bias, tasks))
    adding = 1 if small else min(panels * height * width, 4 * workers())
    fork(_add_tasks, adding, (dw, start, tasks, adding))
    if with_bias:
        for f in range(filters):
            total = 0.0
            for task in range(tasks):
                total += sums[task, f]
            db[f] = total
    release(room)


@part
def _sum_up(task, x, dy, dw, own, sums, where, with_bias, tasks):
    """Add up what one task's share of the output rows contributes to the task's own gradient."""
    filters, channels, height, width = dw.shape
    step, across, dilation, apart, top, left = where
    size, columns = dw.itemsize, tile_columns(dw)
    panels = (filters + columns - 1) // columns
    own += task * panels * height * width * channels * columns * size
    clear(own, panels * height * width * channels * columns * size)
    count, out_high, out_wide = dy.shape[0], dy.shape[2], dy.shape[3]
    first, last = count * out_high * task // tasks, count * out_high * (task + 1) // tasks
    span = (height - 1) * dilation + 1
    row = (out_wide - 1) * across + (width - 1) * apart + 1
    line = max(1, (row * channels * step + panels * out_wide * columns) * size)
    most_rows = max(1, min(out_high, (ROUND - (span - 1) * row * channels * size) // line))
    whole = ((out_high - 1) * step + span) * row * channels * size + out_high * panels * out_wide * columns * size
    most_images = max(1, ROUND // max(1, whole))
    seen = (most_rows - 1) * step + span
    room_x, start_x = scratch(most_images * seen * row * channels, dw)
    room_dy, start_dy = scratch(most_images * panels * most_rows * out_wide * columns, dw)
    at = first
    while at < last:
        n, i = at // out_high, at % out_high
        rows = min(most_rows, out_high - i, last - at)
        images = max(1, min(most_images, (last - at) // out_high)) if i == 0 and rows == out_high else 1
        seen = (rows - 1) * step + span
        for m in range(images):
            to = start_x + m * seen * row * channels * size
            pad_rows(x, n + m, 0, channels, i * step - top, seen, left, row, to)
        for p in range(panels):
            here = start_dy + p * images * rows * out_wide * columns * size
            for m in range(images):
                to = here + m * rows * out_wide * columns * size
                _pack_cotangent(dy, n + m, i, rows, p, to, sums[task], with_bias)
            _tiles(
                dw,
                own + p * height * width * channels * columns * size,
                min(columns, filters - p * columns),
                (start_x, seen * row * channels, step * row * channels, across * channels),
                here,
                (images, rows, out_wide),
                (dilation * row * channels, apart * channels),
            )
        at += images * rows
    release(room_x)
    release(room_dy)


@part
def _tiles(dw, target, lanes, seen, dy, extent, taps):
    """Add the products of one round to a panel of the task's gradient."""
    _, channels, height, width = dw.shape
    a, a_n, a_i, a_j = seen
    images, rows, wide = extent
    columns, size, most = tile_columns(dw), dw.itemsize, tile_rows(dw)
    # The sum runs over (n, i, j): the longest axis is the depth of a block, the next one its batch.
    outer, a_o, b_o = images, a_n, rows * wide * columns
    batch, a_b, b_b = rows, a_i, wide * columns
    depth, a_k, b_k = wide, a_j, columns
    if depth < 4 and batch > depth:
        batch, a_b, b_b, depth, a_k, b_k = depth, a_k, b_k, batch, a_b, b_b
    if depth < 4 and outer > depth:
        outer, a_o, b_o, depth, a_k, b_k = depth, a_k, b_k, outer, a_o, b_o
    if a_b == depth * a_k and b_b == depth * b_k:
        depth, batch = depth * batch, 1
    joined = taps[1] == channels
    long, parts = (width * channels, 1) if joined else (channels, width)
    pieces = (long + most - 1) // most
    for r in range(height):
        for s in range(parts):
            here_a = a + (r * taps[0] + s * taps[1]) * size
            here_c = target + (r * width + s) * channels * columns * size
            for q in range(pieces):
                m0 = long * q // pieces
                count = long * (q + 1) // pieces - m0
                for o in range(outer):
                    block(
                        dw,
                        (
                            count,
                            lanes,
                            here_a + (m0 + o * a_o) * size,
                            1,
                            a_k,
                            a_b,
                            dy + o * b_o * size,
                            b_k,
                            b_b,
                            here_c + m0 * columns * size,
                            columns,
                            batch,
                            depth,
                            1,
                            0,
                            0,
                        ),
                    )


@part
def _pack_cotangent(dy, n, i0, rows, p, target, sums, with_bias):
    """Copy rows of dy to (rows, J, lanes) for panel p, and add what they hold of each filter to its sum."""
    size, columns, wide = dy.itemsize, tile_columns(dy), dy.shape[3]
    present = min(columns, dy.shape[1] - p * columns)
    if present < columns:
        clear(target, rows * wide * columns * size)
    line = np.empty(columns, dy.dtype)
    for i in range(rows):
        origin = dy.ctypes.data + n * dy.strides[0] + p * columns * dy.strides[1] + (i0 + i) * dy.strides[2]
        to = target + i * wide * columns * size
        for j in range(wide):
            if dy.strides[1] == size and present == columns:
                copy(to + j * columns * size, origin + j * dy.strides[3], columns * size)
            else:
                for lane in range(present):
                    value = fetch(dy, origin + j * dy.strides[3] + lane * dy.strides[1])
                    put(dy, to + (j * columns + lane) * size, value)
        if with_bias:
            line[:] = 0
            for j in range(wide):
                for lane in range(columns):
                    line[lane] += fetch(dy, to + (j * columns + lane) * size)
            for lane in range(present):
                sums[p * columns + lane] += line[lane]


@part
def _add_tasks(task, dw, own, tasks, adding):
    """Write the sum of the tasks' gradients to a share of dw."""
    filters, channels, height, width = dw.shape
    size, columns = dw.itemsize, tile_columns(dw)
    panels = (filters + columns - 1) // columns
    one = panels * height * width * channels * columns * size
    for at in range(panels * height * width * task // adding, panels * height * width * (task + 1) // adding):
        p, r, s = at // (height * width), at // width % height, at % width
        for lane in range(min(columns, filters - p * columns)):
            origin = own + (at * channels * columns + lane) * size
            for c in range(channels):
                total = fetch(dw, origin + c * columns * size)
                for t in range(1, tasks):
                    total += fetch(dw, origin + t * one + c * columns * size)
                dw[p * columns + lane, c, r, s] = total
