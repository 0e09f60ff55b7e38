"""Compiled twin of ``layer_norm``."""

from __future__ import annotations

import math

import numpy as np
from numba import types

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.layout import Order, new, order_of, tasks_for, vector
from whygrad.kernels.rows import row
from whygrad.kernels.threads import fork
from whygrad.typing import Array
from whygrad.workspace import empty


def forward(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return y, x̂ and 1/√(variance + eps)."""
    order = _order(x, gamma)
    y, normalised = new(x.shape, x.dtype, order), new(x.shape, x.dtype, order)
    samples = x.ndim - gamma.ndim
    scale = empty((*x.shape[:samples], *[1] * gamma.ndim), x.dtype)
    out = vector(y, order), vector(normalised, order), vector(scale, "rows")
    gamma, beta = _features(gamma, order), _features(beta, order)
    _forward[x.dtype](vector(x, order), gamma, beta, *out, eps, tasks_for(x.size))
    return y, normalised, scale


def backward(normalised: Array, scale: Array, gamma: Array, dy: Array) -> tuple[Array, Array, Array]:
    """Return dx, dgamma and dbeta."""
    order = _order(normalised, gamma)
    dx = new(dy.shape, dy.dtype, order)
    tasks = tasks_for(dy.size)
    sums = np.zeros((2, tasks, gamma.size))
    inputs = vector(normalised, order), vector(scale, "rows"), _features(gamma, order), vector(dy, order)
    _backward[dy.dtype](*inputs, vector(dx, order), sums, tasks)
    shape = gamma.shape if order == "rows" else (*gamma.shape[1:], gamma.shape[0])
    dgamma, dbeta = (s.astype(dy.dtype).reshape(shape) for s in sums.sum(axis=1))
    if order != "rows":
        dgamma, dbeta = dgamma.transpose(2, 0, 1), dbeta.transpose(2, 0, 1)
    return dx, np.ascontiguousarray(dgamma), np.ascontiguousarray(dbeta)


def _order(x: Array, gamma: Array) -> Order:
    """Return an order in which each sample lies in one piece."""
    return order_of(x) if gamma.ndim == 3 else "rows"


def _features(gamma: Array, order: Order) -> Array:
    """Return γ or β as one axis in the order of a sample."""
    return np.ascontiguousarray(gamma if order == "rows" else gamma.transpose(1, 2, 0)).reshape(-1)


@kernel(reads(1), reads(1), reads(1), writes(1), writes(1), writes(1), DOUBLE, INT)
def _forward(x, gamma, beta, y, normalised, scale, eps, tasks):
    fork(_forward_part, tasks, (x, gamma, beta, y, normalised, scale, eps, tasks))


@part
def _forward_part(task, x, gamma, beta, y, normalised, scale, eps, tasks):
    size, rows = gamma.size, scale.size
    for r in range(rows * task // tasks, rows * (task + 1) // tasks):
        scale[r] = _normalise(row(x, r, size), gamma, beta, row(y, r, size), row(normalised, r, size), eps)


@part(reorder=True)
def _normalise(x, gamma, beta, y, normalised, eps):
    real = x.dtype.type
    total, squares = real(0), real(0)
    for i in range(x.size):
        total += x[i]
    mean = total / real(x.size)
    for i in range(x.size):
        squares += (x[i] - mean) * (x[i] - mean)
    scale = real(1) / math.sqrt(squares / real(x.size) + real(eps))
    for i in range(x.size):
        n = (x[i] - mean) * scale
        normalised[i] = n
        y[i] = gamma[i] * n + beta[i]
    return scale


SUMS = types.Array(types.float64, 3, "C")


@kernel(reads(1), reads(1), reads(1), reads(1), writes(1), SUMS, INT)
def _backward(normalised, scale, gamma, dy, dx, sums, tasks):
    fork(_backward_part, tasks, (normalised, scale, gamma, dy, dx, sums, tasks))


@part
def _backward_part(task, normalised, scale, gamma, dy, dx, sums, tasks):
    size, rows = gamma.size, scale.size
    dgamma, dbeta = sums[0, task], sums[1, task]
    for r in range(rows * task // tasks, rows * (task + 1) // tasks):
        n, g = row(normalised, r, size), row(dy, r, size)
        _through(n, scale[r], gamma, g, row(dx, r, size))
        _collect(n, g, dgamma, dbeta)


@part(reorder=True)
def _through(normalised, scale, gamma, dy, dx):
    real = dx.dtype.type
    through_mean, through_variance = real(0), real(0)
    for i in range(dx.size):
        g = gamma[i] * dy[i]
        through_mean += g
        through_variance += g * normalised[i]
    through_mean /= real(dx.size)
    through_variance /= real(dx.size)
    for i in range(dx.size):
        dx[i] = (gamma[i] * dy[i] - through_mean - normalised[i] * through_variance) * scale


@part
def _collect(normalised, dy, dgamma, dbeta):
    for i in range(dy.size):
        dgamma[i] += dy[i] * normalised[i]
        dbeta[i] += dy[i]
