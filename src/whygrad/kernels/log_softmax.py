"""Compiled twin of ``log_softmax``."""

from __future__ import annotations

import math

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.mathematics import exp
from whygrad.kernels.rows import along_last, back, largest, row
from whygrad.kernels.threads import fork
from whygrad.typing import Array
from whygrad.workspace import empty


def forward(x: Array, axis: int) -> Array:
    """Return x − log Σ eˣ along the axis."""
    rows = along_last(x, axis)
    y = empty(rows.shape, x.dtype)
    _forward[x.dtype](rows.reshape(-1), y.reshape(-1), x.shape[axis], tasks_for(x.size))
    return back(y, axis)


def backward(y: Array, dy: Array, axis: int) -> Array:
    """Return dy − eʸ Σ dy."""
    rows = along_last(y, axis)
    dx = empty(rows.shape, y.dtype)
    dy = along_last(dy, axis).reshape(-1)
    _backward[y.dtype](rows.reshape(-1), dy, dx.reshape(-1), y.shape[axis], tasks_for(y.size))
    return back(dx, axis)


@part(reorder=True)
def log_total(x, top):
    """Return log Σ e^(x − top) of a row."""
    total = x.dtype.type(0)
    for i in range(x.size):
        total += exp(x[i] - top)
    return x.dtype.type(math.log(total))


@part  # on its own since it must not be reordered: beside a huge score its logarithm would be lost
def log_probability(x, top, log):
    """Return the logarithm of a probability of the row."""
    return (x - top) - log


@kernel(reads(1), writes(1), INT, INT)
def _forward(x, y, size, tasks):
    fork(_forward_part, tasks, (x, y, size, tasks))


@part
def _forward_part(task, x, y, size, tasks):
    rows = x.size // size
    for r in range(rows * task // tasks, rows * (task + 1) // tasks):
        _log_softmax(row(x, r, size), row(y, r, size))


@part
def _log_softmax(x, y):
    top = largest(x)
    log = log_total(x, top)
    for i in range(x.size):
        y[i] = log_probability(x[i], top, log)


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
    for i in range(dy.size):
        total += dy[i]
    for i in range(dx.size):
        dx[i] = dy[i] - exp(y[i]) * total
