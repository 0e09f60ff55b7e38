"""Convolution with 3x3 filters and stride 1 in 16/36 of the multiplications: Winograd's algorithm.

The image is cut into tiles of 2x2 output positions, each of which sees 4x4 pixels. In the transformed space of
``transforms`` a convolution is a product of matrices for each of 16 positions, tiles x channels times channels x
filters, which the register tile computes; the same holds for the gradient of the filters, channels x tiles times
tiles x filters.

Rounding errors grow with the largest pixel of a tile, not of a window: a few times those of the plain sum where
pixels are of one size. For the same reason an infinite pixel makes NaN of all positions of the tiles that see it.
"""

from __future__ import annotations

import numpy as np

from whygrad.kernels.blocks import block, panel_width, tile_rows
from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.memory import clear, copy, fetch, put, release, scratch
from whygrad.kernels.padding import padded
from whygrad.kernels.threads import fork, workers
from whygrad.kernels.transforms import cotangent_tile, filter_tile, image_tile, output_tile, sums_tile
from whygrad.kernels.weight_gradient import add_rows, write_total

#: Bytes of transformed tiles that a task works on at a time.
ROUND = 256 * 1024
#: Channels below which transforming takes longer than it saves.
FEWEST = 16
#: Filters and channels, multiplied, from which on the sums of a gradient no longer fit the cache.
MOST_FILTERS = 1 << 17
#: Tiles that a round of the filters' gradient has at least, or an image has not so many.
DEPTH = 64


def suits_gradient(w_shape: tuple[int, ...]) -> bool:
    """Return whether the gradient of filters that suit gains too: their 16 positions fit the cache."""
    return w_shape[0] * w_shape[1] <= MOST_FILTERS


def suits(w_shape: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int], output: int) -> bool:
    """Return whether filters (F, C, R, S) gain by this: 3x3, enough channels, and more than a few positions."""
    f, c = w_shape[:2]
    fits = w_shape[2:] == (3, 3) and stride == dilation == (1, 1)
    return fits and c >= FEWEST and f >= FEWEST and c % 16 == f % 16 == 0 and output >= 16


@kernel(reads(4), reads(4), reads(1), writes(4), INT, INT, INT)
def correlate(x, w, b, y, top, left, with_bias):
    """Write the correlation of x (N, C, H, W) with w (F, C, 3, 3) to y (N, F, I, J), channels-last.

    C and F fill vectors. Row 0 of y sees the rows of x from −top on, column 0 the columns from −left on.
    """
    filters, channels = w.shape[0], w.shape[1]
    lanes = panel_width(w, filters)
    panels = (filters + lanes - 1) // lanes
    room, start = scratch(16 * panels * channels * lanes + filters, w)
    bias = start + 16 * panels * channels * lanes * w.itemsize
    for f in range(filters):
        put(w, bias + f * w.itemsize, b[f] if with_bias else w.dtype.type(0))
    pack = min(panels * channels, 4 * workers())
    fork(_transform_filters, pack, (w, start, pack))
    images, rows = _task_size(y, channels)
    tasks = (y.shape[0] + images - 1) // images * (((y.shape[2] + 1) // 2 + rows - 1) // rows)
    fork(_correlate_tiles, tasks, (x, w, y, start, bias, top, left, images, rows))
    release(room)


@part
def _task_size(y, channels):
    """Return how many images, or rows of tiles of one image, a task takes."""
    high, wide = (y.shape[2] + 1) // 2, (y.shape[3] + 1) // 2
    of_tile = 16 * (channels + y.shape[1]) * y.itemsize
    most, threads = max(2 * tile_rows(y), ROUND // of_tile), workers()
    if 2 * high * wide <= most and y.shape[0] > threads:
        return max(1, min(most // (high * wide), y.shape[0] // (2 * threads))), high
    rows = max(1, most // wide)
    fair = (y.shape[0] * high + 4 * threads - 1) // (4 * threads)
    return 1, max(1, min(rows, high, fair))


@part
def _pitch(like, count):
    """Return how far apart positions of so many numbers lie: not a power of two, of which caches hold few."""
    return count + 64 // like.itemsize


@part
def _transform_filters(task, w, start, tasks):
    """Write G g Gᵀ of each filter to panels [position][panel][c][lane]."""
    filters, channels = w.shape[0], w.shape[1]
    lanes, size = panel_width(w, filters), w.itemsize
    panels = (filters + lanes - 1) // lanes
    pitch = panels * channels * lanes
    room, plain = scratch(9 * lanes, w)
    clear(plain, 9 * lanes * size)
    for at in range(panels * channels * task // tasks, panels * channels * (task + 1) // tasks):
        p, c = at // channels, at % channels
        for lane in range(min(lanes, filters - p * lanes)):
            for i in range(9):
                put(w, plain + (i * lanes + lane) * size, w[p * lanes + lane, c, i // 3, i % 3])
        filter_tile(w, (plain, 3 * lanes, lanes, start + at * lanes * size, 4 * pitch, pitch, lanes, 0))
    release(room)


@part
def _transform_images(x, n, images, first, rows, wide, left, room, target, pitch):
    """Write Bᵀ d B of some rows of tiles to [position][tile][c], positions ``pitch`` numbers apart."""
    size, channels = x.itemsize, x.shape[1]
    a, image, line = padded(x, n, images, first, 2 * rows + 2, left, 2 * wide + 2, room)
    for m in range(images):
        for i in range(rows):
            for j in range(wide):
                source = a + (m * image + 2 * i * line + 2 * j * channels) * size
                to = target + ((m * rows + i) * wide + j) * channels * size
                image_tile(x, (source, line, channels, to, 4 * pitch, pitch, channels, 0))


@part
def _correlate_tiles(task, x, w, y, filters_at, bias, top, left, images, rows):
    """Compute the output tiles of one task."""
    high, wide = (y.shape[2] + 1) // 2, (y.shape[3] + 1) // 2
    of_image = (high + rows - 1) // rows
    n, i0 = task // of_image * images, task % of_image * rows
    images, rows = min(images, y.shape[0] - n), min(rows, high - i0)
    filters, channels, size, tiles = w.shape[0], w.shape[1], w.itemsize, images * rows * wide
    room_x, seen = scratch(images * (2 * rows + 2) * (2 * wide + 2) * channels, w)
    v_pitch, m_pitch = _pitch(w, tiles * channels), _pitch(w, tiles * filters)
    room_v, v = scratch(16 * v_pitch, w)
    room_m, m = scratch(16 * m_pitch + 4 * filters, w)
    _transform_images(x, n, images, 2 * i0 - top, rows, wide, left, seen, v, v_pitch)
    lanes, most = panel_width(w, filters), tile_rows(w)
    panels, pieces = (filters + lanes - 1) // lanes, (tiles + most - 1) // most
    for at in range(16 * panels):
        position, p = at // panels, at % panels
        for q in range(pieces):
            t0 = tiles * q // pieces
            count = tiles * (q + 1) // pieces - t0
            block(
                w,
                (
                    *(count, min(lanes, filters - p * lanes), v + (position * v_pitch + t0 * channels) * size),
                    *(channels, 1, 0, filters_at + at * channels * lanes * size, lanes, 0),
                    *(m + (position * m_pitch + t0 * filters + p * lanes) * size, filters, 1, channels, 0, 0, 0, 0),
                ),
            )
    _transform_outputs(y, n, images, i0, rows, wide, m, m_pitch, bias)
    release(room_x)
    release(room_v)
    release(room_m)


@part
def _transform_outputs(y, n, images, i0, rows, wide, products, pitch, bias):
    """Write Aᵀ m A plus the bias to the output; of tiles that hang over its edge only what is inside."""
    size, filters = y.itemsize, y.shape[1]
    spare = products + 16 * pitch * size
    row, pixel = y.strides[2] // size, y.strides[3] // size
    source = products
    for m in range(n, n + images):
        for i in range(2 * i0, 2 * (i0 + rows), 2):
            line = y.ctypes.data + m * y.strides[0] + i * y.strides[2]
            for j in range(0, 2 * wide, 2):
                to = line + j * y.strides[3]
                if i + 1 < y.shape[2] and j + 1 < y.shape[3]:
                    output_tile(y, (source, 4 * pitch, pitch, to, row, pixel, filters, bias))
                else:
                    output_tile(y, (source, 4 * pitch, pitch, spare, 2 * filters, filters, filters, bias))
                    _copy_inside(y, i, j, spare, to)
                source += filters * size


@part
def _copy_inside(y, i, j, tile, target):
    """Copy those pixels of a 2x2 tile at output row i and column j that are inside the output."""
    pixel = y.shape[1] * y.itemsize
    for a in range(min(2, y.shape[2] - i)):
        for b in range(min(2, y.shape[3] - j)):
            copy(target + a * y.strides[2] + b * y.strides[3], tile + (2 * a + b) * pixel, pixel)


@kernel(reads(4), reads(4), writes(4), writes(1), INT, INT, INT)
def weight_gradient(x, dy, dw, db, top, left, with_bias):
    """Write dw (F, C, 3, 3) and, with ``with_bias``, db (F,)."""
    filters, channels = dw.shape[0], dw.shape[1]
    high = (dy.shape[2] + 1) // 2
    tasks = max(1, min(workers(), dy.shape[0] * high))
    room, start = scratch(tasks * 16 * _pitch(dw, channels * filters), dw)
    sums = np.zeros((tasks, filters))
    fork(_sum_up, tasks, (x, dy, dw, start, sums, top, left, with_bias, tasks))
    adding = min(channels, 8 * workers())
    products = room[(start - room.ctypes.data) // dw.itemsize :]
    fork(_add_tasks, adding, (dw, start, products, tasks, adding))
    if with_bias:
        write_total(sums, db)
    release(room)


@part
def _sum_up(task, x, dy, dw, own, sums, top, left, with_bias, tasks):
    """Add up what one task's share of the rows of tiles contributes, as [position][c][f]."""
    filters, channels, size = dw.shape[0], dw.shape[1], dw.itemsize
    high, wide = (dy.shape[2] + 1) // 2, (dy.shape[3] + 1) // 2
    own += task * 16 * _pitch(dw, channels * filters) * size
    clear(own, 16 * _pitch(dw, channels * filters) * size)
    first, last = dy.shape[0] * high * task // tasks, dy.shape[0] * high * (task + 1) // tasks
    # Rows of tiles in a round: what fits the cache, and enough that adding the sums up is not most of the work.
    most = max(1, max(DEPTH, ROUND // (16 * (channels + filters) * size)) // wide)
    most_images = max(1, most // high)
    most = most_images * high if most >= high else most
    room_x, seen = scratch(most_images * (2 * min(most, high) + 2) * (2 * wide + 2) * channels, dw)
    room_y, given = scratch(most * 2 * 2 * wide * filters, dw)
    room_v, v = scratch(16 * _pitch(dw, most * wide * channels), dw)
    room_d, d = scratch(16 * _pitch(dw, most * wide * filters), dw)
    at = first
    while at < last:
        n, i = at // high, at % high
        rows = min(most, high - i, last - at)
        images = max(1, min(most_images, (last - at) // high)) if i == 0 and rows == high else 1
        tiles = images * rows * wide
        _transform_images(x, n, images, 2 * i - top, rows, wide, left, seen, v, _pitch(dw, tiles * channels))
        _transform_cotangents(dy, n, images, i, rows, wide, given, d, _pitch(dw, tiles * filters))
        if with_bias:
            add_rows(dy, n, images, 2 * i, min(2 * rows, dy.shape[2] - 2 * i), sums[task])
        _add_products(dw, own, v, d, tiles)
        at += images * rows
    release(room_x)
    release(room_y)
    release(room_v)
    release(room_d)


@part
def _transform_cotangents(dy, n, images, i0, rows, wide, room, target, pitch):
    """Write A δ Aᵀ of some rows of tiles to [position][tile][f]."""
    size, filters = dy.itemsize, dy.shape[1]
    left = np.int64(0)  # not a literal, for which there would be another compiled form
    a, image, line = padded(dy, n, images, 2 * i0, 2 * rows, left, 2 * wide, room)
    for m in range(images):
        for i in range(rows):
            for j in range(wide):
                source = a + (m * image + 2 * i * line + 2 * j * filters) * size
                to = target + ((m * rows + i) * wide + j) * filters * size
                cotangent_tile(dy, (source, line, filters, to, 4 * pitch, pitch, filters, 0))


@part
def _add_products(dw, own, v, d, tiles):
    """Add the products of transformed images and cotangents, summed over tiles."""
    filters, channels, size = dw.shape[0], dw.shape[1], dw.itemsize
    lanes, most = panel_width(dw, filters), tile_rows(dw)
    panels, pieces = (filters + lanes - 1) // lanes, (channels + most - 1) // most
    for at in range(16 * panels):
        position, p = at // panels, at % panels
        for q in range(pieces):
            c0 = channels * q // pieces
            count = channels * (q + 1) // pieces - c0
            block(
                dw,
                (
                    *(
                        count,
                        min(lanes, filters - p * lanes),
                        v + (position * _pitch(dw, tiles * channels) + c0) * size,
                    ),
                    *(1, channels, 0, d + (position * _pitch(dw, tiles * filters) + p * lanes) * size, filters, 0),
                    *(own + (position * _pitch(dw, channels * filters) + c0 * filters + p * lanes) * size, filters),
                    *(1, tiles, 1, 0, 0, 1),
                ),
            )


@part
def _add_tasks(task, dw, own, products, tasks, adding):
    """Write Gᵀ s G of the sum s of the tasks' products to a share of dw; ``products`` begins at address ``own``."""
    filters, channels, size = dw.shape[0], dw.shape[1], dw.itemsize
    pitch = _pitch(dw, channels * filters)
    room, plain = scratch(9 * filters, dw)
    for c in range(channels * task // adding, channels * (task + 1) // adding):
        for t in range(1, tasks):
            for i in range(16):
                at = i * pitch + c * filters
                total, more = products[at : at + filters], products[at + 16 * t * pitch :]
                for f in range(total.size):
                    total[f] += more[f]
        sums_tile(dw, (own + c * filters * size, 4 * pitch, pitch, plain, 3 * filters, filters, filters, 0))
        for f in range(filters):
            for i in range(9):
                dw[f, c, i // 3, i % 3] = fetch(dw, plain + (i * filters + f) * size)
    release(room)
