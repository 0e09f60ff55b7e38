"""Compiled twin of ``sigmoid``."""

from __future__ import annotations

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import binary, unary
from whygrad.kernels.mathematics import sigmoid
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def forward(x: Array) -> Array:
    """Return 1 / (1 + e^(−x))."""
    return unary(_forward, x)


def backward(y: Array, dy: Array) -> Array:
    """Return dy · y(1 − y)."""
    return binary(_backward, y, dy)


@kernel(reads(1), writes(1), INT)
def _forward(x, y, tasks):
    fork(_forward_part, tasks, (x, y, tasks))


@part
def _forward_part(task, x, y, tasks):
    x, y = share(x, task, tasks), share(y, task, tasks)
    for i in range(x.size):
        y[i] = sigmoid(x[i])


@kernel(reads(1), reads(1), writes(1), INT)
def _backward(y, dy, dx, tasks):
    fork(_backward_part, tasks, (y, dy, dx, tasks))


@part
def _backward_part(task, y, dy, dx, tasks):
    y, dy, dx = share(y, task, tasks), share(dy, task, tasks), share(dx, task, tasks)
    one = y.dtype.type(1)
    for i in range(dx.size):
        dx[i] = dy[i] * y[i] * (one - y[i])
