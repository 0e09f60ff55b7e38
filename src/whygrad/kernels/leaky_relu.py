"""Compiled twin of ``leaky_relu``."""

from __future__ import annotations

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import binary, unary
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def forward(x: Array, slope: float) -> Array:
    """Return x where x > 0, else slope · x."""
    return unary(_forward, x, slope)


def backward(x: Array, dy: Array, slope: float) -> Array:
    """Return dy where x > 0, else slope · dy."""
    return binary(_backward, x, dy, slope)


@kernel(reads(1), writes(1), DOUBLE, INT)
def _forward(x, y, slope, tasks):
    fork(_forward_part, tasks, (x, y, slope, tasks))


@part
def _forward_part(task, x, y, slope, tasks):
    x, y = share(x, task, tasks), share(y, task, tasks)
    zero, slope = x.dtype.type(0), x.dtype.type(slope)
    for i in range(x.size):
        y[i] = x[i] if x[i] > zero else slope * x[i]


@kernel(reads(1), reads(1), writes(1), DOUBLE, INT)
def _backward(x, dy, dx, slope, tasks):
    fork(_backward_part, tasks, (x, dy, dx, slope, tasks))


@part
def _backward_part(task, x, dy, dx, slope, tasks):
    x, dy, dx = share(x, task, tasks), share(dy, task, tasks), share(dx, task, tasks)
    one, zero, slope = x.dtype.type(1), x.dtype.type(0), x.dtype.type(slope)
    for i in range(dx.size):
        dx[i] = dy[i] * (one if x[i] > zero else slope)
