"""Compiled twin of ``flatten``: images that lie channels-last change to and from rows in C order."""

from __future__ import annotations

from math import prod

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for, vector
from whygrad.kernels.threads import fork
from whygrad.typing import Array, Shape
from whygrad.workspace import empty

BLOCK = 32  #: rows in a band
FEW = 2048  #: numbers that NumPy lays out in less time than a kernel is called in


def forward(x: Array) -> Array:
    """Return x with one row for each sample; a view where x lies in C order."""
    rows = x.shape[0], prod(x.shape[1:])
    if x.ndim != 4 or x.size <= FEW or x.flags.c_contiguous:
        return x.reshape(rows)
    n, c, h, w = x.shape
    y = empty(rows, x.dtype)
    _transpose[x.dtype](vector(x, "channels last"), y.ravel(), n, h * w, c, tasks_for(x.size))
    return y


def backward(x_shape: Shape, dy: Array) -> Array:
    """Return a copy of dy in the shape of x, images channels-last."""
    if len(x_shape) != 4:
        return dy.reshape(x_shape).copy()
    if dy.size <= FEW:
        return dy.reshape(x_shape).transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    n, c, h, w = x_shape
    dx = empty((n, h, w, c), dy.dtype)
    _transpose[dy.dtype](dy.ravel(), dx.ravel(), n, c, h * w, tasks_for(dy.size))
    return dx.transpose(0, 3, 1, 2)


@kernel(reads(1), writes(1), INT, INT, INT, INT)
def _transpose(x, y, n, rows, columns, tasks):
    """Transpose n matrices of rows x columns."""
    bands = -(-rows // BLOCK)
    fork(_transpose_part, tasks, (x, y, n, bands, rows, columns, tasks))


@part
def _transpose_part(task, x, y, n, bands, rows, columns, tasks):
    """Transpose bands of matrices: what a band of x occupies stays in the cache while its columns are taken."""
    for band in range(n * bands * task // tasks, n * bands * (task + 1) // tasks):
        first = band // bands * rows * columns
        i0 = band % bands * BLOCK
        height = min(BLOCK, rows - i0)
        source = x[first + i0 * columns : first + (i0 + height) * columns]
        for j in range(columns):
            start = first + j * rows + i0
            target, column = y[start : start + height], source[j:]
            for k in range(target.size):
                target[k] = column[k * columns]
