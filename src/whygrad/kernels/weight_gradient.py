"""The gradient of a correlation with respect to its filters and its bias.

    dw[f,c,r,s] = Σ_n Σ_i Σ_j  dy[n,f,i,j] · x̂[n, c, i·t_v + r·d_v − top, j·t_h + s·d_h − left]

A task takes a share of the images and their rows, and sums in a gradient of its own, laid out as panels
``[p][r][s][c][lane]``; these are added up at the end, always in the same order. The rows of a register tile are
taps and channels (s, c), its lanes are filters, and the sum runs over output positions.
"""

from __future__ import annotations

import numpy as np

from whygrad.kernels.blocks import block, panel_width, tile_lanes, tile_rows
from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.memory import clear, copy, fetch, put, release, scratch
from whygrad.kernels.padding import padded
from whygrad.kernels.threads import SMALL_PRODUCTS, fork, workers

#: Bytes of scratch space for the images and dy of one round, which stay in the second-level cache.
ROUND = 384 * 1024
#: Bytes from pixel to pixel from which on dy is copied: so far apart they would share few lines of the cache.
FAR = 1024


@kernel(reads(4), reads(4), writes(4), writes(1), ints(6), INT)
def weight_gradient(x, dy, dw, db, where, with_bias):
    """Write dw (F, C, R, S) and, with ``with_bias``, db (F,); ``where`` is (t_v, t_h, d_v, d_h, top, left)."""
    filters, channels, height, width = dw.shape
    lanes = panel_width(dw, filters)
    lines = (filters + lanes - 1) // lanes * height * width
    small = dy.size * channels * height * width <= SMALL_PRODUCTS
    tasks = 1 if small else max(1, min(workers(), dy.shape[0] * dy.shape[2]))
    room, start = scratch(tasks * lines * channels * lanes, dw)
    sums = np.zeros((tasks, filters))
    fork(_sum_up, tasks, (x, dy, dw, start, sums, where, with_bias, tasks))
    if small:
        for line in range(lines):
            _add_tasks(line, dw, start, tasks)
    else:
        fork(_add_tasks, lines, (dw, start, tasks))
    if with_bias:
        write_total(sums, db)
    release(room)


@part
def _sum_up(task, x, dy, dw, own, sums, where, with_bias, tasks):
    """Add up what one task's share of the output rows contributes to the task's own gradient."""
    filters, channels, height, width = dw.shape
    step, across, dilation, apart, top, left = where
    size, lanes, out_high, out_wide = dw.itemsize, panel_width(dw, filters), dy.shape[2], dy.shape[3]
    panels = (filters + lanes - 1) // lanes
    one = height * width * channels * lanes * size
    own += task * panels * one
    clear(own, panels * one)
    first, last = dy.shape[0] * out_high * task // tasks, dy.shape[0] * out_high * (task + 1) // tasks
    span, row = (height - 1) * dilation + 1, (out_wide - 1) * across + (width - 1) * apart + 1
    most_images, most_rows = _round_size(dw, out_high, out_wide, panels * lanes, (step, span, row * channels))
    seen = (most_rows - 1) * step + span
    room_x, start_x = scratch(most_images * seen * row * channels, dw)
    room_dy, start_dy = scratch(most_images * panels * most_rows * out_wide * lanes, dw)
    at = first
    while at < last:
        n, i = at // out_high, at % out_high
        rows = min(most_rows, out_high - i, last - at)
        images = max(1, min(most_images, (last - at) // out_high)) if i == 0 and rows == out_high else 1
        seen = (rows - 1) * step + span
        a, image, line = padded(x, n, images, i * step - top, seen, left, row, start_x)
        if with_bias:
            add_rows(dy, n, images, i, rows, sums[task])
        for p in range(panels):
            here = start_dy + p * most_images * most_rows * out_wide * lanes * size
            given = _cotangent_panel(dy, n, images, i, rows, p, lanes, here)
            _tiles(
                (dw, own + p * one, min(lanes, filters - p * lanes), lanes),
                (a, image, step * line, across * channels),
                given,
                (images, rows, out_wide),
                (dilation * line, apart * channels),
            )
        at += images * rows
    release(room_x)
    release(room_dy)


@part
def _round_size(dw, high, wide, lanes, seen):
    """Return how many images and rows of dy a round takes, so that both fit the second-level cache."""
    step, span, line = seen
    of_row = max(1, (line * step + lanes * wide) * dw.itemsize)
    rows = max(1, min(high, (ROUND - (span - 1) * line * dw.itemsize) // of_row))
    whole = (((high - 1) * step + span) * line + high * lanes * wide) * dw.itemsize
    return max(1, ROUND // max(1, whole)), rows


@part
def _cotangent_panel(dy, n, images, i, rows, p, lanes, room):
    """Return (address, image pitch, row pitch, pixel pitch, mask) of some filters of dy.

    They are read in dy itself if a pixel's filters lie side by side and fill vectors, or end within one, whose
    rest the mask then leaves unread; else they are copied to ``room``, filled up with zeros. So they are, too,
    where pixels lie so far apart that the first-level cache has room for a few of them only.
    """
    size, wide = dy.itemsize, dy.shape[3]
    present = min(lanes, dy.shape[1] - p * lanes)
    origin = dy.ctypes.data + n * dy.strides[0] + p * lanes * dy.strides[1] + i * dy.strides[2]
    together = dy.shape[1] == 1 or dy.strides[1] == size
    fills = present % tile_lanes(dy) == 0 or present < tile_lanes(dy)
    if together and fills and dy.strides[3] < FAR:
        return origin, dy.strides[0] // size, dy.strides[2] // size, dy.strides[3] // size, 1
    if present < lanes:
        clear(room, images * rows * wide * lanes * size)
    for m in range(images):
        for v in range(rows):
            line = origin + m * dy.strides[0] + v * dy.strides[2]
            to = room + (m * rows + v) * wide * lanes * size
            if together:
                for j in range(wide):
                    copy(to + j * lanes * size, line + j * dy.strides[3], present * size)
                continue
            for f in range(present):
                for j in range(wide):
                    value = fetch(dy, line + j * dy.strides[3] + f * dy.strides[1])
                    put(dy, to + (j * lanes + f) * size, value)
    return room, rows * wide * lanes, wide * lanes, lanes, 0


@part
def _tiles(target, seen, given, extent, taps):
    """Add the products of one round to a panel of the task's gradient."""
    dw, start, columns, lanes = target
    _, channels, height, width = dw.shape
    a, a_n, a_i, a_j = seen
    b, b_n, b_i, b_j, mask = given
    images, rows, wide = extent
    size, most = dw.itemsize, tile_rows(dw)
    # The sum runs over (n, i, j): a long axis is the depth of a block, another one its batch.
    outer, a_o, b_o = images, a_n, b_n
    batch, a_b, b_b = rows, a_i, b_i
    depth, a_k, b_k = wide, a_j, b_j
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
            here_c = start + (r * width + s) * channels * lanes * size
            for q in range(pieces):
                m0 = long * q // pieces
                count = long * (q + 1) // pieces - m0
                for o in range(outer):
                    block(
                        dw,
                        (
                            *(count, columns, here_a + (m0 + o * a_o) * size, 1, a_k, a_b),
                            *(b + o * b_o * size, b_k, b_b, here_c + m0 * lanes * size, lanes),
                            *(batch, depth, 1, 0, 0, mask),
                        ),
                    )


@part
def add_rows(dy, n, images, i, rows, sums):
    """Add to each filter's sum what some rows of dy hold."""
    line = np.empty(sums.size, dy.dtype)
    size = dy.itemsize
    for m in range(images):
        for v in range(rows):
            for f in range(line.size):
                line[f] = 0
            origin = dy.ctypes.data + (n + m) * dy.strides[0] + (i + v) * dy.strides[2]
            for j in range(dy.shape[3]):
                if dy.strides[1] == size:
                    for f in range(line.size):
                        line[f] += fetch(dy, origin + j * dy.strides[3] + f * size)
                else:
                    for f in range(line.size):
                        line[f] += fetch(dy, origin + j * dy.strides[3] + f * dy.strides[1])
            for f in range(line.size):
                sums[f] += line[f]


@part
def write_total(sums, db):
    """Write each filter's sum over all tasks."""
    for f in range(db.size):
        total = 0.0
        for task in range(sums.shape[0]):
            total += sums[task, f]
        db[f] = total


@part
def _add_tasks(line, dw, own, tasks):
    """Write the sum of the tasks' gradients at one tap of one panel to dw."""
    filters, channels, height, width = dw.shape
    size, lanes = dw.itemsize, panel_width(dw, filters)
    one = (filters + lanes - 1) // lanes * height * width * channels * lanes * size
    p, r, s = line // (height * width), line // width % height, line % width
    for lane in range(min(lanes, filters - p * lanes)):
        origin = own + (line * channels * lanes + lane) * size
        for c in range(channels):
            total = fetch(dw, origin + c * lanes * size)
            for t in range(1, tasks):
                total += fetch(dw, origin + t * one + c * lanes * size)
            dw[p * lanes + lane, c, r, s] = total
