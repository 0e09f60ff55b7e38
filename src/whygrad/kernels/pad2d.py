"""Compiled twin of ``pad2d``."""

from __future__ import annotations

from numba import types

from whygrad.kernels.compiler import DOUBLE, INT, ints, kernel, part, reads, writes
from whygrad.kernels.layout import new_images, tasks_for, vector
from whygrad.kernels.pooling import piece
from whygrad.kernels.threads import fork
from whygrad.typing import Array, IntArray, Shape

PLACES = types.Array(types.int64, 1, "C", readonly=True)


def forward(x: Array, rows: IntArray, columns: IntArray, value: float) -> Array:
    """Return the images that show these rows and columns of x, and a value where the number is −1."""
    n, c, h, w = x.shape
    y = new_images(n, c, rows.size, columns.size, x.dtype)
    vectors = vector(x, "channels last"), vector(y, "channels last")
    _forward[x.dtype](*vectors, rows, columns, value, (n, c, h, w), tasks_for(y.size))
    return y


def backward(rows: IntArray, columns: IntArray, x_shape: Shape, dy: Array) -> Array:
    """Return dx: the sum of dy over the places that show each pixel."""
    n, c, h, w = x_shape
    dx = new_images(n, c, h, w, dy.dtype)
    vectors = vector(dy, "channels last"), vector(dx, "channels last")
    _backward[dy.dtype](*vectors, rows, columns, (n, c, h, w), tasks_for(dy.size))
    return dx


@kernel(reads(1), writes(1), PLACES, PLACES, DOUBLE, ints(4), INT)
def _forward(x, y, rows, columns, value, sizes, tasks):
    fork(_forward_part, tasks, (x, y, rows, columns, value, sizes, tasks))


@part
def _forward_part(task, x, y, rows, columns, value, sizes, tasks):
    n, c, h, w = sizes
    lines, width = n * rows.size, columns.size
    for line in range(lines * task // tasks, lines * (task + 1) // tasks):
        row = rows[line % rows.size]
        if row < 0:
            piece(y, line, width * c)[:] = value
            continue
        j = 0
        while j < width:
            together = _run(columns, j)
            target = y[(line * width + j) * c : (line * width + j + together) * c]
            if columns[j] < 0:
                target[:] = value
            else:
                start = ((line // rows.size * h + row) * w + columns[j]) * c
                seen = x[start : start + together * c]
                for k in range(target.size):
                    target[k] = seen[k]
            j += together


@part
def _run(columns, j):
    """Return how many columns from j on show nothing, or pixels that lie side by side."""
    end, step = j + 1, 0 if columns[j] < 0 else 1
    while end < columns.size and columns[end] == columns[end - 1] + step:
        end += 1
    return end - j


@kernel(reads(1), writes(1), PLACES, PLACES, ints(4), INT)
def _backward(dy, dx, rows, columns, sizes, tasks):
    fork(_backward_part, tasks, (dy, dx, rows, columns, sizes, tasks))


@part
def _backward_part(task, dy, dx, rows, columns, sizes, tasks):
    """Fill rows of dx, each from the rows of dy that show it: whoever does a row does it alone."""
    n, c, h, w = sizes
    for line in range(n * h * task // tasks, n * h * (task + 1) // tasks):
        piece(dx, line, w * c)[:] = 0
        for i in range(rows.size):
            if rows[i] != line % h:
                continue
            j = 0
            while j < columns.size:
                together = _run(columns, j)
                if columns[j] >= 0:
                    start = ((line // h * rows.size + i) * columns.size + j) * c
                    target = dx[(line * w + columns[j]) * c : (line * w + columns[j] + together) * c]
                    _add(dy[start : start + together * c], target)
                j += together


@part
def _add(source, target):
    for k in range(target.size):
        target[k] += source[k]
