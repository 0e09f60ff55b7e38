"""Compiled twin of ``elu``."""

from __future__ import annotations

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import binary, unary
from whygrad.kernels.mathematics import exp, expm1
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def forward(x: Array, alpha: float) -> Array:
    """Return x where x > 0, else α(eˣ − 1)."""
    return unary(_forward, x, alpha)


def backward(x: Array, dy: Array, alpha: float) -> Array:
    """Return dy where x > 0, else dy·α·eˣ."""
    return binary(_backward, x, dy, alpha)


@kernel(reads(1), writes(1), DOUBLE, INT)
def _forward(x, y, alpha, tasks):
    fork(_forward_part, tasks, (x, y, alpha, tasks))


@part
def _forward_part(task, x, y, alpha, tasks):
    x, y = share(x, task, tasks), share(y, task, tasks)
    zero, alpha = x.dtype.type(0), x.dtype.type(alpha)
    for i in range(x.size):
        y[i] = x[i] if x[i] > zero else alpha * expm1(x[i])


@kernel(reads(1), reads(1), writes(1), DOUBLE, INT)
def _backward(x, dy, dx, alpha, tasks):
    fork(_backward_part, tasks, (x, dy, dx, alpha, tasks))


@part
def _backward_part(task, x, dy, dx, alpha, tasks):
    x, dy, dx = share(x, task, tasks), share(dy, task, tasks), share(dx, task, tasks)
    one, zero, alpha = x.dtype.type(1), x.dtype.type(0), x.dtype.type(alpha)
    for i in range(dx.size):
        dx[i] = dy[i] * (one if x[i] > zero else alpha * exp(x[i]))
