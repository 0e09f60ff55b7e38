"""Compiled twin of ``relu``."""

from __future__ import annotations

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import binary, unary
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def forward(x: Array) -> Array:
    """Return max(x, 0)."""
    return unary(_forward, x)


def backward(y: Array, dy: Array) -> Array:
    """Return dy where y > 0, else 0."""
    return binary(_backward, y, dy)


@kernel(reads(1), writes(1), INT)
def _forward(x, y, tasks):
    fork(_forward_part, tasks, (x, y, tasks))


@part
def _forward_part(task, x, y, tasks):
    x, y = share(x, task, tasks), share(y, task, tasks)
    for i in range(x.size):
        y[i] = 0 if x[i] <= 0 else x[i]  # NaN stays NaN


@kernel(reads(1), reads(1), writes(1), INT)
def _backward(y, dy, dx, tasks):
    fork(_backward_part, tasks, (y, dy, dx, tasks))


@part
def _backward_part(task, y, dy, dx, tasks):
    y, dy, dx = share(y, task, tasks), share(dy, task, tasks), share(dx, task, tasks)
    for i in range(y.size):
        dx[i] = dy[i] if y[i] > 0 else 0
