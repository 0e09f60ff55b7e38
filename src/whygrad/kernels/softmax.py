"""Compiled twin of ``softmax``."""

from __future__ import annotations

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.mathematics import exp
from whygrad.kernels.rows import along_last, back, largest, row
from whygrad.kernels.threads import fork
from whygrad.typing import Array
from whygrad.workspace import empty


def forward(x: Array, axis: int) -> Array:
    """Return eˣ over its sum along the axis."""
    rows = along_last(x, axis)
    y = empty(rows.shape, x.dtype)
    _forward[x.dtype](rows.reshape(-1), y.reshape(-1), x.shape[axis], tasks_for(x.size))
    return back(y, axis)


def backward(y: Array, dy: Array, axis: int) -> Array:
    """Return y · (dy − Σ dy·y)."""
    rows = along_last(y, axis)
    dx = empty(rows.shape, y.dtype)
    dy = along_last(dy, axis).reshape(-1)
    _backward[y.dtype](rows.reshape(-1), dy, dx.reshape(-1), y.shape[axis], tasks_for(y.size))
    return back(dx, axis)


@kernel(reads(1), writes(1), INT, INT)
def _forward(x, y, size, tasks):
    fork(_forward_part, tasks, (x, y, size, tasks))


@part
def _forward_part(task, x, y, size, tasks):
    rows = x.size // size
    for r in range(rows * task // tasks, rows * (task + 1) // tasks):
        _softmax(row(x, r, size), row(y, r, size))


@part(reorder=True)
def _softmax(x, y):
    top = largest(x)
    total = x.dtype.type(0)
    for i in range(x.size):
        y[i] = exp(x[i] - top)
    # A loop that adds and stores is vector code only where its arrays lie far apart, which would change the bits.
    for i in range(y.size):
        total += y[i]
    for i in range(y.size):
        y[i] /= total


@kernel(reads(1), reads(1), writes(1), INT, INT)
def _backward(y, dy, dx, size, tasks):
    fork(_backward_part, tasks, (y, dy, dx, size, tasks))


@part
def _backward_part(task, y, dy, dx, size, tasks):
    rows = y.size // size
    for r in range(rows * task // tasks, rows * (task + 1) // tasks):
        _jacobian(row(y, r, size), row(dy, r, size), row(dx, r, size))


@part(reorder=True)
def _jacobian(y, dy, dx):
    total = y.dtype.type(0)
    for i in range(y.size):
        total += dy[i] * y[i]
    for i in range(dx.size):
        dx[i] = y[i] * (dy[i] - total)
