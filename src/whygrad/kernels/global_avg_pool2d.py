"""Compiled twin of ``global_avg_pool2d``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import new_images, tasks_for, vector
from whygrad.kernels.pooling import piece
from whygrad.kernels.threads import fork
from whygrad.typing import Array, Shape


def forward(x: Array) -> Array:
    """Return the mean of each channel."""
    n, c, h, w = x.shape
    y = new_images(n, c, 1, 1, x.dtype)
    _forward[x.dtype](vector(x, "channels last"), vector(y, "channels last"), n, h * w, c, tasks_for(x.size))
    return y


def backward(x_shape: Shape, dy: Array) -> Array:
    """Return dx: dy in equal shares."""
    n, c, h, w = x_shape
    dx = new_images(n, c, h, w, dy.dtype)
    _backward[dy.dtype](vector(dy, "channels last"), vector(dx, "channels last"), n, h * w, c, tasks_for(dx.size))
    return dx


@kernel(reads(1), writes(1), INT, INT, INT, INT)
def _forward(x, y, n, pixels, c, tasks):
    fork(_forward_part, tasks, (x, y, n, pixels, c, tasks))


@part
def _forward_part(task, x, y, n, pixels, c, tasks):
    total = np.empty(c, np.float64)
    for image in range(n * task // tasks, n * (task + 1) // tasks):
        total[:] = 0
        first = image * pixels
        for p in range(pixels // 4):
            at = first + 4 * p
            _add_four(piece(x, at, c), piece(x, at + 1, c), piece(x, at + 2, c), piece(x, at + 3, c), total)
        for p in range(pixels // 4 * 4, pixels):
            seen = piece(x, first + p, c)
            for k in range(total.size):
                total[k] += seen[k]
        mean = piece(y, image, c)
        for k in range(mean.size):
            mean[k] = total[k] / pixels


@part
def _add_four(a, b, c, d, total):
    for k in range(total.size):
        total[k] += (np.float64(a[k]) + b[k]) + (np.float64(c[k]) + d[k])


@kernel(reads(1), writes(1), INT, INT, INT, INT)
def _backward(dy, dx, n, pixels, c, tasks):
    fork(_backward_part, tasks, (dy, dx, n, pixels, c, tasks))


@part
def _backward_part(task, dy, dx, n, pixels, c, tasks):
    count = dx.dtype.type(pixels)
    for image in range(n * task // tasks, n * (task + 1) // tasks):
        gradient, first = piece(dy, image, c), piece(dx, image * pixels, c)
        for k in range(first.size):
            first[k] = gradient[k] / count
        for p in range(1, pixels):
            piece(dx, image * pixels + p, c)[:] = first
