"""Compiled twin of ``upsample_nearest2d``."""

from __future__ import annotations

from whygrad.kernels.compiler import INT, ints, kernel, part, reads, writes
from whygrad.kernels.layout import new_images, tasks_for, vector
from whygrad.kernels.pooling import piece
from whygrad.kernels.threads import fork
from whygrad.typing import Array, Shape


def forward(x: Array, factor: tuple[int, int]) -> Array:
    """Return every pixel repeated in a block."""
    (n, c, h, w), (v, q) = x.shape, factor
    y = new_images(n, c, h * v, w * q, x.dtype)
    _forward[x.dtype](
        vector(x, "channels last"), vector(y, "channels last"), (n * h, w, c, v, q), tasks_for(y.size)
    )
    return y


def backward(x_shape: Shape, factor: tuple[int, int], dy: Array) -> Array:
    """Return dx: the sum of dy over each pixel's block."""
    (n, c, h, w), (v, q) = x_shape, factor
    dx = new_images(n, c, h, w, dy.dtype)
    _backward[dy.dtype](
        vector(dy, "channels last"), vector(dx, "channels last"), (n * h, w, c, v, q), tasks_for(dy.size)
    )
    return dx


@kernel(reads(1), writes(1), ints(5), INT)
def _forward(x, y, sizes, tasks):
    fork(_forward_part, tasks, (x, y, sizes, tasks))


@part
def _forward_part(task, x, y, sizes, tasks):
    lines, w, c, v, q = sizes
    for line in range(lines * task // tasks, lines * (task + 1) // tasks):
        first = line * v * w * q
        for b in range(w):
            pixel = piece(x, line * w + b, c)
            for j in range(q):
                _copy(pixel, piece(y, first + b * q + j, c))
        above = piece(y, line * v, w * q * c)
        for i in range(1, v):
            _copy(above, piece(y, line * v + i, w * q * c))


@part
def _copy(source, target):
    for k in range(target.size):
        target[k] = source[k]


@kernel(reads(1), writes(1), ints(5), INT)
def _backward(dy, dx, sizes, tasks):
    fork(_backward_part, tasks, (dy, dx, sizes, tasks))


@part
def _backward_part(task, dy, dx, sizes, tasks):
    lines, w, c, v, q = sizes
    for line in range(lines * task // tasks, lines * (task + 1) // tasks):
        for b in range(w):
            total = piece(dx, line * w + b, c)
            for i in range(v):
                first = (line * v + i) * w * q + b * q
                for j in range(q):
                    if i or j:
                        _add(piece(dy, first + j, c), total)
                    else:
                        _copy(piece(dy, first, c), total)


@part
def _add(source, target):
    for k in range(target.size):
        target[k] += source[k]
