"""Correlation in channels-last memory: the pass that a convolution, its input gradient and a transposed one share.

    y[n,f,i,j] = b[f] + Σ_r Σ_s Σ_c  w[f,c,r,s] · x̂[n, c, i·t_v + r·d_v − top, j·t_h + s·d_h − left]

where x̂ is x, and zero outside it. Nothing is unrolled into columns. A task takes some output rows of some images:
it copies the rows of x that these see into scratch space with their zeros around them, whatever the memory order of
x, and runs the register tile over them. Filters are laid out once a call in panels as wide as the tile:
``panel[p][r][s][c][lane]``, the last one filled up with zeros.
"""

from __future__ import annotations

from whygrad.kernels.blocks import block, panel_width, tile_rows
from whygrad.kernels.compiler import ints, kernel, part, reads, writes
from whygrad.kernels.memory import clear, put, release, scratch
from whygrad.kernels.padding import padded
from whygrad.kernels.threads import SMALL_PRODUCTS, fork, workers

#: Bytes of scratch space for the images of a task: they stay in the second-level cache beside a panel.
IMAGES = 192 * 1024
_EVERYWHERE = (0, 0, 0, 1)  # no row of taps is left out


@kernel(reads(4), reads(4), reads(1), writes(4), ints(6), ints(2))
def correlate(x, w, b, y, where, flags):
    """Write the correlation of x (N, C, H, W) with w (F, C, R, S) to y (N, F, I, J), channels-last.

    ``where`` is (t_v, t_h, d_v, d_h, top, left); ``flags`` are 1 or 0: whether b (F,) is added, and whether
    negative sums become 0.
    """
    filters, channels, height, width = w.shape
    lanes = panel_width(w, filters)
    panels = (filters + lanes - 1) // lanes
    room, start = scratch(panels * height * width * channels * lanes, w)
    images, rows = _task_size(x, w, y, where)
    tasks = (y.shape[0] + images - 1) // images * ((y.shape[2] + rows - 1) // rows)
    if y.size * channels * height * width > SMALL_PRODUCTS:
        fork(_pack_panels, panels * height, (w, start))
        fork(_correlate_rows, tasks, (x, w, b, y, where, flags, start, images, rows))
    else:
        for task in range(panels * height):
            _pack_panels(task, w, start)
        for task in range(tasks):
            _correlate_rows(task, x, w, b, y, where, flags, start, images, rows)
    release(room)


@part
def _task_size(x, w, y, where):
    """Return of how many images, or of one image how many output rows, a task is made."""
    step, _, dilation, _, _, _ = where
    span = (w.shape[2] - 1) * dilation + 1
    row = _row_of(w, y, where) * w.shape[1] * w.itemsize
    whole = ((y.shape[2] - 1) * step + span) * row
    threads = workers()
    if 2 * whole <= IMAGES and y.shape[0] > threads:
        return max(1, min(IMAGES // whole, y.shape[0] // (4 * threads))), y.shape[2]
    rows = max(1, (IMAGES // row - span) // step + 1)
    fair = (y.shape[0] * y.shape[2] + 4 * threads - 1) // (4 * threads)
    return 1, max(1, min(rows, y.shape[2], fair))


@part
def _row_of(w, y, where):
    """Return how many pixels of a row of x the output positions of a row see."""
    return (y.shape[3] - 1) * where[1] + (w.shape[3] - 1) * where[3] + 1


@part
def _pack_panels(task, w, start):
    """Lay one row of taps of one panel of filters out."""
    filters, channels, height, width = w.shape
    lanes, size = panel_width(w, filters), w.itemsize
    p, r = task // height, task % height
    present = min(lanes, filters - p * lanes)
    for s in range(width):
        target = start + (task * width + s) * channels * lanes * size
        if present < lanes:
            clear(target, channels * lanes * size)
        for lane in range(present):
            for c in range(channels):
                put(w, target + (c * lanes + lane) * size, w[p * lanes + lane, c, r, s])


@part
def _correlate_rows(task, x, w, b, y, where, flags, panels, images, rows):
    """Run the tile over the output rows of one task."""
    tasks_of_image = (y.shape[2] + rows - 1) // rows
    n0, i0 = task // tasks_of_image * images, task % tasks_of_image * rows
    images, rows = min(images, y.shape[0] - n0), min(rows, y.shape[2] - i0)
    filters, channels, height, width = w.shape
    step, across, dilation, apart, top, left = where
    seen, row = (rows - 1) * step + (height - 1) * dilation + 1, _row_of(w, y, where)
    room, start = scratch(images * seen * row * channels, w)
    start, image, line = padded(x, n0, images, i0 * step - top, seen, left, row, start)
    lanes, size = panel_width(w, filters), w.itemsize
    for p in range((filters + lanes - 1) // lanes):
        _tiles(
            (images, rows, y.shape[3]),
            (start, image, step * line, across * channels),
            (
                y.ctypes.data + n0 * y.strides[0] + i0 * y.strides[2] + p * lanes * size,
                *(y.strides[0] // size, y.strides[2] // size, y.strides[3] // size),
            ),
            (height, width, channels, dilation * line, apart * channels),
            (panels + p * height * width * channels * lanes * size, min(lanes, filters - p * lanes), lanes),
            (2 if flags[0] else 0, b.ctypes.data + p * lanes * size, flags[1]),
            (i0 * step - top, step, dilation, x.shape[2]),
            w,
        )
    release(room)


@part
def _tiles(extent, seen, out, taps, panel, finish, rows_seen, like):
    """Cover the output positions (n, i, j) by tiles whose rows follow one of the axes, j if it is long enough."""
    (images, rows, width), (a, a_n, a_i, a_j), (c, c_n, c_i, c_j) = extent, seen, out
    if taps[0] == 1 and a_i == width * a_j and c_i == width * c_j:  # one line after the other
        rows, width, rows_seen = 1, rows * width, _EVERYWHERE
    many, a_u, c_u, inner, a_v, c_v, length, a_l, c_l = images, a_n, c_n, rows, a_i, c_i, width, a_j, c_j
    if width < 4 and rows > width and rows >= images:
        inner, a_v, c_v, length, a_l, c_l, rows_seen = width, a_j, c_j, rows, a_i, c_i, _EVERYWHERE
    elif width < 4 and images > width:
        many, a_u, c_u, inner, a_v, c_v, length, a_l, c_l = rows, a_i, c_i, width, a_j, c_j, images, a_n, c_n
        rows_seen = _EVERYWHERE
    _lines((many, inner, length), (a, a_u, a_v, a_l), (c, c_u, c_v, c_l), taps, panel, finish, rows_seen, like)


@part
def _lines(extent, seen, out, taps, panel, finish, rows_seen, like):
    """Cover lines of output positions by tiles of as equal heights as can be."""
    (many, inner, length), (a, a_u, a_v, a_l), (c, c_u, c_v, c_l) = extent, seen, out
    height, width, channels, a_r, a_s = taps
    weights, columns, lanes = panel
    start, bias, relu = finish
    size, most = like.itemsize, tile_rows(like)
    pieces = (length + most - 1) // most
    joined = a_s == channels  # the taps of a row lie side by side, with their channels
    for m in range(many * inner):
        first_r, last_r = _taps_inside(m % inner, height, rows_seen)
        line_a = a + (m // inner * a_u + m % inner * a_v + first_r * a_r) * size
        line_c = c + (m // inner * c_u + m % inner * c_v) * size
        line_w = weights + first_r * width * channels * lanes * size
        for q in range(pieces):
            p0 = length * q // pieces
            count = length * (q + 1) // pieces - p0
            here_a, here_c = line_a + p0 * a_l * size, line_c + p0 * c_l * size
            if joined:
                block(
                    like,
                    (
                        *(count, columns, here_a, a_l, 1, a_r, line_w, lanes, width * channels * lanes),
                        *(here_c, c_l, last_r - first_r, width * channels, start, bias, relu, 0),
                    ),
                )
                continue
            count_r = last_r - first_r
            for r in range(count_r):
                begin, ends = 1 if r else start, relu if r == count_r - 1 else 0
                block(
                    like,
                    (
                        *(count, columns, here_a + r * a_r * size, a_l, 1, a_s),
                        *(line_w + r * width * channels * lanes * size, lanes, channels * lanes, here_c, c_l),
                        *(width, channels, begin, bias, ends, 0),
                    ),
                )


@part
def _taps_inside(i, height, rows_seen):
    """Return from which row of taps to which the output row i sees the image and not zeros; at least one."""
    begin, step, dilation, high = rows_seen
    first, last, h = 0, height, begin + i * step
    if dilation:
        while first < height - 1 and h + first * dilation < 0:
            first += 1
        while last > first + 1 and h + (last - 1) * dilation >= high:
            last -= 1
    return first, last
