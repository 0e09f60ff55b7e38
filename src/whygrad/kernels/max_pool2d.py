"""Compiled twin of ``max_pool2d``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import new_images, tasks_for, vector
from whygrad.kernels.pooling import NARROW, SIZES, Windows, inside, piece, places, sizes_of, window_at
from whygrad.kernels.threads import fork
from whygrad.typing import Array, IntArray


def forward(x: Array, where: Windows, index: np.dtype[Any]) -> tuple[Array, IntArray]:
    """Return the maximum of each window and the index, of this dtype, of the tap that saw it."""
    n, c = x.shape[:2]
    y: Array = new_images(n, c, *where.output, x.dtype)
    winner: Any = new_images(n, c, *where.output, index)
    vectors = (vector(a, "channels last") for a in (x, y, winner))
    _FORWARD[index][x.dtype](*vectors, sizes_of(x.shape, where), tasks_for(x.size))
    return y, winner


def backward(winner: Any, where: Windows, dy: Array) -> Array:
    """Return dx: each window's dy at the entry that won."""
    n, c = dy.shape[:2]
    dx = new_images(n, c, *where.size, dy.dtype)
    vectors = (vector(a, "channels last") for a in (winner, dy, dx))
    _BACKWARD[winner.dtype][dy.dtype](*vectors, sizes_of(dx.shape, where), tasks_for(dx.size))
    return dx


def _forward(x, y, winner, sizes, tasks):
    if sizes[1] < NARROW:
        place = places(sizes[13], sizes[7], sizes[11], sizes[1])
        fork(_narrow_forward_part, tasks, (x, y, winner, place, sizes, tasks))
    else:
        fork(_forward_part, tasks, (x, y, winner, sizes, tasks))


@part
def _forward_part(task, x, y, winner, sizes, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    simple = taps_v == 2 and taps_h == 2 and dilation_h == 1
    for line in range(n * rows * task // tasks, n * rows * (task + 1) // tasks):
        a = line % rows * stride_v - top
        r0, r1 = inside(a, dilation_v, taps_v, h)
        for j in range(columns):
            b = j * stride_h - left
            s0, s1 = inside(b, dilation_h, taps_h, w)
            best, won = piece(y, line * columns + j, c), piece(winner, line * columns + j, c)
            first = (line // rows * h + a + r0 * dilation_v) * w + b + s0 * dilation_h
            if simple and r1 - r0 == 2 and s1 - s0 == 2:
                second = first + dilation_v * w
                _square(
                    piece(x, first, c),
                    piece(x, first + 1, c),
                    piece(x, second, c),
                    piece(x, second + 1, c),
                    best,
                    won,
                )
                continue
            seen = piece(x, first, c)
            for k in range(best.size):
                best[k] = seen[k]
                won[k] = r0 * taps_h + s0
            for r in range(r0, r1):
                for s in range(s0, s1):
                    if r > r0 or s > s0:
                        at = first + (r - r0) * dilation_v * w + (s - s0) * dilation_h
                        _tap(piece(x, at, c), r * taps_h + s, best, won)


@part
def _narrow_forward_part(task, x, y, winner, place, sizes, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    room = np.empty(columns * c, x.dtype)  # gathered first and compared then: together there are branches
    for line in range(n * rows * task // tasks, n * rows * (task + 1) // tasks):
        a = line % rows * stride_v - top
        r0, r1 = inside(a, dilation_v, taps_v, h)
        best, won = piece(y, line, columns * c), piece(winner, line, columns * c)
        seen = piece(x, line // rows * h + a + r0 * dilation_v, w * c)
        for j in range(columns):
            s0, _ = inside(j * stride_h - left, dilation_h, taps_h, w)
            for at in range(j * c, (j + 1) * c):
                best[at] = seen[place[at] + s0 * dilation_h * c]
                won[at] = r0 * taps_h + s0
        for r in range(r0, r1):
            seen = piece(x, line // rows * h + a + r * dilation_v, w * c)
            for s in range(taps_h):
                j0, j1 = inside(s * dilation_h - left, stride_h, columns, w)
                here, shift = place[j0 * c : j1 * c], s * dilation_h * c
                for k in range(here.size):
                    room[k] = seen[here[k] + shift]
                _tap(room, r * taps_h + s, best[j0 * c : j1 * c], won[j0 * c : j1 * c])


@part
def _tap(seen, tap, best, won):
    """Let what a tap sees win where it is larger; the first NaN wins against everything."""
    for k in range(best.size):
        value, before, index = seen[k], best[k], won[k]
        larger = (not value <= before) & (not np.isnan(before))
        best[k] = value if larger else before
        won[k] = tap if larger else index


@part
def _square(a, b, c, d, best, won):
    """Do all of a window of 2x2 in one go."""
    for k in range(best.size):
        value, tap = a[k], 0
        larger = (not b[k] <= value) & (not np.isnan(value))
        value, tap = b[k] if larger else value, 1 if larger else tap
        larger = (not c[k] <= value) & (not np.isnan(value))
        value, tap = c[k] if larger else value, 2 if larger else tap
        larger = (not d[k] <= value) & (not np.isnan(value))
        value, tap = d[k] if larger else value, 3 if larger else tap
        best[k] = value
        won[k] = tap


def _backward(winner, dy, dx, sizes, tasks):
    if sizes[1] < NARROW:
        place = places(sizes[13], sizes[7], sizes[11], sizes[1])
        fork(_narrow_backward_part, tasks, (winner, dy, dx, place, sizes, tasks))
    else:
        fork(_backward_part, tasks, (winner, dy, dx, sizes, tasks))


@part
def _backward_part(task, winner, dy, dx, sizes, tasks):
    """Fill rows of dx, each from the rows of windows that see it: whoever does a row does it alone."""
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    pairs = taps_h == 2 and stride_h == 2 and dilation_h == 1
    for line in range(n * h * task // tasks, n * h * (task + 1) // tasks):
        piece(dx, line, w * c)[:] = 0
        for r in range(taps_v):
            i = window_at(line % h + top - r * dilation_v, stride_v, rows)
            if i < 0:
                continue
            for j in range(columns):
                b = j * stride_h - left
                s0, s1 = inside(b, dilation_h, taps_h, w)
                pixel = (line // h * rows + i) * columns + j
                won, gradient = piece(winner, pixel, c), piece(dy, pixel, c)
                if pairs and s1 - s0 == 2:
                    target = piece(dx, line * w + b, c), piece(dx, line * w + b + 1, c)
                    _two(won, gradient, r * taps_h, target[0], target[1])
                    continue
                for s in range(s0, s1):
                    _give(won, gradient, r * taps_h + s, piece(dx, line * w + b + s * dilation_h, c))


@part
def _narrow_backward_part(task, winner, dy, dx, place, sizes, tasks):
    n, c, h, w, taps_v, taps_h, stride_v, stride_h, dilation_v, dilation_h, top, left, rows, columns = sizes
    room = np.empty(columns * c, dx.dtype)
    for line in range(n * h * task // tasks, n * h * (task + 1) // tasks):
        target = piece(dx, line, w * c)
        target[:] = 0
        for r in range(taps_v):
            i = window_at(line % h + top - r * dilation_v, stride_v, rows)
            if i < 0:
                continue
            won = piece(winner, line // h * rows + i, columns * c)
            gradient = piece(dy, line // h * rows + i, columns * c)
            for s in range(taps_h):
                j0, j1 = inside(s * dilation_h - left, stride_h, columns, w)
                here, shift = place[j0 * c : j1 * c], s * dilation_h * c
                _select(won[j0 * c : j1 * c], gradient[j0 * c : j1 * c], r * taps_h + s, room)
                for k in range(here.size):
                    target[here[k] + shift] += room[k]


@part
def _select(won, gradient, tap, given):
    for k in range(won.size):
        given[k] = gradient[k] if won[k] == tap else 0


@part
def _give(won, gradient, tap, target):
    for k in range(target.size):
        target[k] += gradient[k] if won[k] == tap else 0


@part
def _two(won, gradient, tap, a, b):
    """Give to two taps side by side whose columns no other window sees."""
    for k in range(a.size):
        a[k] += gradient[k] if won[k] == tap else 0
        b[k] += gradient[k] if won[k] == tap + 1 else 0


_INDICES = (types.uint8, types.int32)
_FORWARD = {
    np.dtype(i.name): kernel(reads(1), writes(1), types.Array(i, 1, "C"), SIZES, INT)(_forward) for i in _INDICES
}
_BACKWARD = {
    np.dtype(i.name): kernel(types.Array(i, 1, "C", readonly=True), reads(1), writes(1), SIZES, INT)(_backward)
    for i in _INDICES
}
