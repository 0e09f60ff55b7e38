"""Compiled twin of ``avg_pool2d``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import new_images, tasks_for, vector
from whygrad.kernels.pooling import NARROW, SIZES, Windows, inside, piece, places, sizes_of, window_at
from whygrad.kernels.threads import fork
from whygrad.typing import Array


def forward(x: Array, entries: Array, where: Windows) -> Array:
    """Return the sum of each window over its entries."""
    n, c = x.shape[:2]
    y = new_images(n, c, *where.output, x.dtype)
    sizes, tasks = sizes_of(x.shape, where), tasks_for(x.size)
    _forward[x.dtype](vector(x, "channels last"), entries.reshape(-1), vector(y, "channels last"), sizes, tasks)
    return y


def backward(entries: Array, where: Windows, dy: Array) -> Array:
    """Return dx: in each entry its share of every window's dy that sees it."""
    n, c = dy.shape[:2]
    dx = new_images(n, c, *where.size, dy.dtype)
    sizes, tasks = sizes_of(dx.shape, where), tasks_for(dx.size)
    _backward[dy.dtype](vector(dy, "channels last"), entries.reshape(-1), vector(dx, "channels last"), sizes, tasks)
    return dx


@kernel(reads(1), reads(1), writes(1), SIZES, INT)
def _forward(x, entries, y, sizes, tasks):
    if sizes[1] < NARROW:
        place = places(sizes[13], sizes[7], sizes[11], sizes[1])
        fork(_narrow_forward_part, tasks, (x, entries, y, place, sizes, tasks))
    else:
        fork(_forward_part, tasks, (x, entries, y, sizes, tasks))


@part
def _forward_part(task, x, entries, y, sizes, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, _, _, top, left, rows, columns = sizes
    for line in range(n * rows * task // tasks, n * rows * (task + 1) // tasks):
        a = line % rows * stride_v - top
        r0, r1 = inside(a, 1, taps_v, h)
        for j in range(columns):
            b = j * stride_h - left
            s0, s1 = inside(b, 1, taps_h, w)
            mean, count = piece(y, line * columns + j, c), entries[line % rows * columns + j]
            first = (line // rows * h + a + r0) * w + b + s0
            if r1 - r0 == 2 and s1 - s0 == 2:
                second = first + w
                _square(
                    piece(x, first, c),
                    piece(x, first + 1, c),
                    piece(x, second, c),
                    piece(x, second + 1, c),
                    count,
                    mean,
                )
                continue
            mean[:] = 0
            for r in range(r1 - r0):
                for s in range(s1 - s0):
                    _add(piece(x, first + r * w + s, c), mean)
            for k in range(mean.size):
                mean[k] /= count


@part
def _narrow_forward_part(task, x, entries, y, place, sizes, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, _, _, top, left, rows, columns = sizes
    for line in range(n * rows * task // tasks, n * rows * (task + 1) // tasks):
        a = line % rows * stride_v - top
        r0, r1 = inside(a, 1, taps_v, h)
        mean, counts = piece(y, line, columns * c), piece(entries, line % rows, columns)
        mean[:] = 0
        for r in range(r0, r1):
            seen = piece(x, line // rows * h + a + r, w * c)
            for s in range(taps_h):
                j0, j1 = inside(s - left, stride_h, columns, w)
                _add_row(seen, place[j0 * c : j1 * c], s * c, mean[j0 * c : j1 * c])
        for j in range(columns):
            for k in range(j * c, (j + 1) * c):
                mean[k] /= counts[j]


@part
def _add_row(seen, place, shift, total):
    for k in range(total.size):
        total[k] += seen[place[k] + shift]


@part
def _add(seen, total):
    for k in range(total.size):
        total[k] += seen[k]


@part
def _square(a, b, c, d, count, mean):
    """Do all of a window of 2x2 in one go."""
    for k in range(mean.size):
        mean[k] = (a[k] + b[k] + c[k] + d[k]) / count


@kernel(reads(1), reads(1), writes(1), SIZES, INT)
def _backward(dy, entries, dx, sizes, tasks):
    if sizes[1] < NARROW:
        place = places(sizes[13], sizes[7], sizes[11], sizes[1])
        fork(_narrow_backward_part, tasks, (dy, entries, dx, place, sizes, tasks))
    else:
        fork(_backward_part, tasks, (dy, entries, dx, sizes, tasks))


@part
def _backward_part(task, dy, entries, dx, sizes, tasks):
    """Fill rows of dx, each from the rows of windows that see it: whoever does a row does it alone."""
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, _, _, top, left, rows, columns = sizes
    for line in range(n * h * task // tasks, n * h * (task + 1) // tasks):
        piece(dx, line, w * c)[:] = 0
        for r in range(taps_v):
            i = window_at(line % h + top - r, stride_v, rows)
            if i < 0:
                continue
            for j in range(columns):
                b = j * stride_h - left
                s0, s1 = inside(b, 1, taps_h, w)
                gradient = piece(dy, (line // h * rows + i) * columns + j, c)
                share = dx.dtype.type(1 / entries[i * columns + j])
                for s in range(s0, s1):
                    _give(gradient, share, piece(dx, line * w + b + s, c))


@part
def _narrow_backward_part(task, dy, entries, dx, place, sizes, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, _, _, top, left, rows, columns = sizes
    shares = np.empty(columns * c, dx.dtype)
    for line in range(n * h * task // tasks, n * h * (task + 1) // tasks):
        target = piece(dx, line, w * c)
        target[:] = 0
        for r in range(taps_v):
            i = window_at(line % h + top - r, stride_v, rows)
            if i < 0:
                continue
            gradient = piece(dy, line // h * rows + i, columns * c)
            for j in range(columns):
                share = dx.dtype.type(1 / entries[i * columns + j])
                for k in range(j * c, (j + 1) * c):
                    shares[k] = gradient[k] * share
            for s in range(taps_h):
                j0, j1 = inside(s - left, stride_h, columns, w)
                _give_row(shares[j0 * c : j1 * c], place[j0 * c : j1 * c], s * c, target)


@part
def _give_row(shares, place, shift, target):
    for k in range(shares.size):
        target[place[k] + shift] += shares[k]


@part
def _give(gradient, share, target):
    for k in range(target.size):
        target[k] += gradient[k] * share
