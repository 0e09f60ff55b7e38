"""Depthwise convolution, one filter a channel: each product of a tap with all channels at once.

There is no sum over channels to feed a register tile with: what a tap sees of a pixel's channels is multiplied by
the filters' weights at that tap, laid out as ``[r][s][c]``, channel by channel. Taps outside the image are left
out.
"""

from __future__ import annotations

import numpy as np
from numba import types

from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.threads import fork
from whygrad.typing import Array

Six = tuple[int, int, int, int, int, int]
SUMS = types.Array(types.float64, 4, "C")


def suits(w_shape: tuple[int, ...], groups: int) -> bool:
    """Return whether these are filters (C, 1, R, S) of a depthwise convolution, C > 1."""
    return groups > 1 and w_shape[:2] == (groups, 1)


def forward(x: Array, w: Array, b: Array | None, y: Array, where: Six) -> None:
    """Write the convolution of x (N, C, H, W) with w (C, 1, R, S) to y."""
    bias = np.zeros(w.shape[0], w.dtype) if b is None else np.ascontiguousarray(b)
    _forward[x.dtype](_last(x), _taps(w), bias, y.transpose(0, 2, 3, 1), where, tasks_for(y.size))


def input_gradient(dy: Array, w: Array, dx: Array, where: Six) -> None:
    """Write dx (N, C, H, W) for dy (N, C, I, J)."""
    _input_gradient[dy.dtype](_last(dy), _taps(w), dx.transpose(0, 2, 3, 1), where, tasks_for(dx.size))


def weight_gradient(x: Array, dy: Array, dw: Array, db: Array, where: Six) -> None:
    """Write dw (C, 1, R, S) and db (C,)."""
    tasks = min(tasks_for(dy.size), max(1, dy.shape[0] * dy.shape[2]))
    sums = np.zeros((tasks, *dw.shape[2:], dw.shape[0]), dw.dtype)
    biases = np.zeros((tasks, 1, 1, dw.shape[0]))
    _weight_gradient[x.dtype](_last(x), _last(dy), sums, biases, where, tasks)
    dw[:, 0] = sums.sum(axis=0).transpose(2, 0, 1)
    db[:] = biases.sum(axis=(0, 1, 2))


def _last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def _taps(w: Array) -> Array:
    return np.ascontiguousarray(w[:, 0].transpose(1, 2, 0))


@kernel(reads(4, dense=True), reads(3, dense=True), reads(1), writes(4), ints(6), INT)
def _forward(x, w, b, y, where, tasks):
    fork(_forward_part, tasks, (x, w, b, y, where, tasks))


@part
def _forward_part(task, x, w, b, y, where, tasks):
    step, across, dilation, apart, top, left = where
    height, width = w.shape[:2]
    high, wide = y.shape[1], y.shape[2]
    for at in range(y.shape[0] * high * task // tasks, y.shape[0] * high * (task + 1) // tasks):
        n, i = at // high, at % high
        for j in range(wide):
            here = y[n, i, j]
            for c in range(b.size):
                here[c] = b[c]
            for r in range(height):
                h = i * step + r * dilation - top
                if h < 0 or h >= x.shape[1]:
                    continue
                for s in range(width):
                    v = j * across + s * apart - left
                    if 0 <= v < x.shape[2]:
                        _add_products(here, x[n, h, v], w[r, s])


@kernel(reads(4, dense=True), reads(3, dense=True), writes(4), ints(6), INT)
def _input_gradient(dy, w, dx, where, tasks):
    fork(_input_gradient_part, tasks, (dy, w, dx, where, tasks))


@part
def _input_gradient_part(task, dy, w, dx, where, tasks):
    step, across, dilation, apart, top, left = where
    height, width = w.shape[:2]
    high, wide = dx.shape[1], dx.shape[2]
    for at in range(dx.shape[0] * high * task // tasks, dx.shape[0] * high * (task + 1) // tasks):
        n, h = at // high, at % high
        for v in range(wide):
            here = dx[n, h, v]
            here[:] = 0
            for r in range(height):
                i = h + top - r * dilation
                if i < 0 or i % step or i // step >= dy.shape[1]:
                    continue
                for s in range(width):
                    j = v + left - s * apart
                    if j >= 0 and j % across == 0 and j // across < dy.shape[2]:
                        _add_products(here, dy[n, i // step, j // across], w[r, s])


@kernel(reads(4, dense=True), reads(4, dense=True), writes(4, dense=True), SUMS, ints(6), INT)
def _weight_gradient(x, dy, dw, db, where, tasks):
    fork(_weight_gradient_part, tasks, (x, dy, dw, db, where, tasks))


@part
def _weight_gradient_part(task, x, dy, dw, db, where, tasks):
    step, across, dilation, apart, top, left = where
    height, width = dw.shape[1:3]
    high, wide = dy.shape[1], dy.shape[2]
    bias = db[task, 0, 0]
    for at in range(dy.shape[0] * high * task // tasks, dy.shape[0] * high * (task + 1) // tasks):
        n, i = at // high, at % high
        for j in range(wide):
            here = dy[n, i, j]
            for c in range(here.size):
                bias[c] += here[c]
            for r in range(height):
                h = i * step + r * dilation - top
                if h < 0 or h >= x.shape[1]:
                    continue
                for s in range(width):
                    v = j * across + s * apart - left
                    if 0 <= v < x.shape[2]:
                        _add_products(dw[task, r, s], here, x[n, h, v])


@part
def _add_products(sums, a, b):
    for c in range(sums.size):
        sums[c] += a[c] * b[c]
