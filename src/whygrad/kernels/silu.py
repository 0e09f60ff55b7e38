"""Compiled twin of ``silu``."""

from __future__ import annotations

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import binary, unary
from whygrad.kernels.mathematics import sigmoid
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def forward(x: Array) -> Array:
    """Return x·σ(x)."""
    return unary(_forward, x)


def backward(x: Array, dy: Array) -> Array:
    """Return dy · σ(x)(1 + x(1 − σ(x)))."""
    return binary(_backward, x, dy)


@kernel(reads(1), writes(1), INT)
def _forward(x, y, tasks):
    fork(_forward_part, tasks, (x, y, tasks))


@part
def _forward_part(task, x, y, tasks):
    x, y = share(x, task, tasks), share(y, task, tasks)
    for i in range(x.size):
        y[i] = x[i] * sigmoid(x[i])


@kernel(reads(1), reads(1), writes(1), INT)
def _backward(x, dy, dx, tasks):
    fork(_backward_part, tasks, (x, dy, dx, tasks))


@part
def _backward_part(task, x, dy, dx, tasks):
    x, dy, dx = share(x, task, tasks), share(dy, task, tasks), share(dx, task, tasks)
    one = x.dtype.type(1)
    for i in range(dx.size):
        gate = sigmoid(x[i])
        dx[i] = dy[i] * gate * (one + x[i] * (one - gate))
