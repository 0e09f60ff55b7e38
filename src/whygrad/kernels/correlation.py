"""Correlation in channels-last memory: the pass that a convolution, its input gradient and a transposed one share.

    y[n,f,i,j] = b[f] + Σ_r Σ_s Σ_c  w[f,c,r,s] · x̂[n, c, i·t_v + r·d_v − top, j·t_h + s·d_h − left]

where x̂ is x, and zero outside it. Nothing is unrolled into columns. A task takes some output rows of some images:
it copies the rows of x that these see into scratch space with their zeros around them, whatever the memory order of
x, and runs the register tile over them. Filters are laid out once a call in panels as wide as the tile:
``panel[p][r][s][c][lane]``, the last one filled up with zeros.
"""

from __future__ import annotations

from whygrad.kernels.blocks import block, tile_columns, tile_rows
from whygrad.kernels.compiler import ints, kernel, part, reads, writes
from whygrad.kernels.memory import clear, put, release, scratch
from whygrad.kernels.padding import pad_rows
from whygrad.kernels.threads import fork, workers

#: Bytes of scratch space for the images of a task: they stay in the second-level cache beside a panel.
IMAGES = 192 * 1024
#: Products below which a second thread costs more than it saves.
SMALL = 60_000


@kernel(reads(4), reads(4), reads(1), writes(4), ints(6), ints(2))
def correlate(x, w, b, y, where, flags):
    """Write the correlation of x (N, C, H, W) with w (F, C, R, S) to y (N, F, I, J), channels-last.

    ``where`` is (t_v, t_h, d_v, d_h, top, left); ``flags`` are 1 or 0: whether b (F,) is added, and whether
    negative sums become 0.
    """
    filters, channels, height, width = w.shape
    columns = tile_columns(w)
    panels = (filters + columns - 1) // columns
    room, start = scratch(panels * height * width * channels * columns, w)
    products = y.size * channels * height * width
    images, rows = _task_size(x, w, y, where)
    tasks_of_image = (y.shape[2] + rows - 1) // rows
    tasks = (y.shape[0] + images - 1) // images * tasks_of_image
    pack = panels if products > SMALL else 1
    fork(_pack_panels, pack, (w, start, pack))
    if products <= SMALL:
        for task in range(tasks):
            _correlate_rows(task, x, w, b, y, where, flags, start, images, rows)
    else:
        fork(_correlate_rows, tasks, (x, w, b, y, where, flags, start, images, rows))
    release(room)


@part
def _task_size(x, w, y, where):
    """Return of how many images, or of one image how many output rows, a task is made."""
    _channels, height, _width = w.shape[1:]
    step, _, dilation, _, _, _ = where
    span = (height - 1) * dilation + 1
    row = _row_of(w, y, where) * w.itemsize
    whole = ((y.shape[2] - 1) * step + span) * row
    threads = workers()
    if 2 * whole <= IMAGES and y.shape[0] > threads:
        return max(1, min(IMAGES // whole, y.shape[0] // (4 * threads))), y.shape[2]
    rows = max(1, (IMAGES // row - span) // step + 1)
    fair = (y.shape[0] * y.shape[2] + 4 * threads - 1) // (4 * threads)
    return 1, max(1, min(rows, y.shape[2], fair))


@part
def _row_of(w, y, where):
    """Return how many numbers a row of the padded images has."""
    return ((y.shape[3] - 1) * where[1] + (w.shape[3] - 1) * where[3] + 1) * w.shape[1]


@part
def _pack_panels(task, w, start, tasks):
    """Lay the filters out in panels."""
    filters, channels, height, width = w.shape
    columns, size = tile_columns(w), w.itemsize
    panels = (filters + columns - 1) // columns
    for p in range(panels * task // tasks, panels * (task + 1) // tasks):
        present = min(columns, filters - p * columns)
        for r in range(height):
            for s in range(width):
                target = start + ((p * height + r) * width + s) * channels * columns * size
                if present < columns:
                    clear(target, channels * columns * size)
                for lane in range(present):
                    f = p * columns + lane
                    for c in range(channels):
                        put(w, target + (c * columns + lane) * size, w[f, c, r, s])


@part
def _correlate_rows(task, x, w, b, y, where, flags, panels, images, rows):
    """Run the tile over the output rows of one task."""
    tasks_of_image = (y.shape[2] + rows - 1) // rows
    n0, i0 = task // tasks_of_image * images, task % tasks_of_image * rows
    images, rows = min(images, y.shape[0] - n0), min(rows, y.shape[2] - i0)
    filters, channels, height, width = w.shape
    step, across, dilation, apart, top, left = where
    seen = (rows - 1) * step + (height - 1) * dilation + 1
    row = _row_of(w, y, where)
    room, start = scratch(images * seen * row, w)
    for n in range(images):
        pad_rows(
            x,
            n0 + n,
            0,
            channels,
            i0 * step - top,
            seen,
            left,
            row // channels,
            start + n * seen * row * w.itemsize,
        )
    columns, size = tile_columns(w), w.itemsize
    panel = height * width * channels * columns * size
    for p in range((filters + columns - 1) // columns):
        _tiles(
            (images, rows, y.shape[3]),
            (start, seen * row, step * row, across * channels),
            (
                y.ctypes.data + (n0 * y.strides[0] + p * columns * size + i0 * y.strides[2]),
                y.strides[0] // size,
                y.strides[2] // size,
                y.strides[3] // size,
            ),
            (height, width, channels, dilation * row, apart * channels),
            (panels + p * panel, min(columns, filters - p * columns)),
            (2 if flags[0] else 0, b.ctypes.data + p * columns * size, flags[1]),
            w,
        )
    release(room)


@part
def _tiles(extent, seen, out, taps, panel, finish, like):
    """Cover the output positions (n, i, j) by tiles whose rows follow one of the axes, j if it is long enough."""
    (images, rows, width), (a, a_n, a_i, a_j), (c, c_n, c_i, c_j) = extent, seen, out
    most = tile_rows(like)
    if width >= 4 or (width >= rows and width >= images):
        _lines(images, rows, width, a, a_n, a_i, a_j, c, c_n, c_i, c_j, taps, panel, finish, like, most)
    elif rows >= images:
        _lines(images, width, rows, a, a_n, a_j, a_i, c, c_n, c_j, c_i, taps, panel, finish, like, most)
    else:
        _lines(rows, width, images, a, a_i, a_j, a_n, c, c_i, c_j, c_n, taps, panel, finish, like, most)


@part
def _lines(u, v, length, a, a_u, a_v, a_l, c, c_u, c_v, c_l, taps, panel, finish, like, most):
    """Cover u x v lines of output positions by tiles of as equal heights as can be."""
    height, width, channels, a_r, a_s = taps
    weights, columns = panel
    start, bias, relu = finish
    size, b_k = like.itemsize, tile_columns(like)
    pieces = (length + most - 1) // most
    joined = a_s == channels  # the taps of a row lie side by side, with their channels
    for m in range(u * v):
        line_a, line_c = a + (m // v * a_u + m % v * a_v) * size, c + (m // v * c_u + m % v * c_v) * size
        for q in range(pieces):
            first = length * q // pieces
            count = length * (q + 1) // pieces - first
            here_a, here_c = line_a + first * a_l * size, line_c + first * c_l * size
            if joined:
                block(
                    like,
                    (
                        count,
                        columns,
                        here_a,
                        a_l,
                        1,
                        a_r,
                        weights,
                        b_k,
                        width * channels * b_k,
                        here_c,
                        c_l,
                        height,
                        width * channels,
                        start,
                        bias,
                        relu,
                    ),
                )
                continue
            for r in range(height):
                block(
                    like,
                    (
                        count,
                        columns,
                        here_a + r * a_r * size,
                        a_l,
                        1,
                        a_s,
                        weights + r * width * channels * b_k * size,
                        b_k,
                        channels * b_k,
                        here_c,
                        c_l,
                        width,
                        channels,
                        start if r == 0 else 1,
                        bias,
                        relu if r == height - 1 else 0,
                    ),
                )
