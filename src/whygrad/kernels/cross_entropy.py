"""Compiled twin of ``cross_entropy``: each row is read once, while it lies in the cache, for loss and gradient."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.log_softmax import log_probability, log_total
from whygrad.kernels.mathematics import exp
from whygrad.kernels.rows import INDICES, along_last, back, indices, largest, row
from whygrad.kernels.threads import fork
from whygrad.typing import Array, IntArray
from whygrad.workspace import empty


def of_classes(z: Array, index: IntArray, weights: Array, epsilon: float, by: float) -> tuple[float, Array]:
    """Return the loss for class indices and its gradient."""
    rows, dtype = along_last(z, 1), z.dtype
    gradient = empty(rows.shape, dtype)
    options = weights, epsilon, by, tasks_for(z.size)
    total = _of_classes[dtype](rows.ravel(), indices(index), gradient.ravel(), *options)
    return total / by, back(gradient, 1)


def of_probabilities(z: Array, q: Array, weights: Array, epsilon: float, by: float) -> tuple[float, Array]:
    """Return the loss for probabilities and its gradient."""
    rows = along_last(z, 1)
    gradient = empty(rows.shape, z.dtype)
    options = weights, epsilon, by, tasks_for(z.size)
    q = along_last(q, 1).reshape(-1)
    total = _of_probabilities[z.dtype](rows.reshape(-1), q, gradient.reshape(-1), *options)
    return total / by, back(gradient, 1)


@kernel(reads(1), INDICES, writes(1), reads(1), DOUBLE, DOUBLE, INT)
def _of_classes(z, index, gradient, weights, epsilon, by, tasks):
    totals = np.empty(tasks)
    fork(_classes_part, tasks, (z, index, gradient, weights, epsilon, by, totals))
    return totals.sum()


@part
def _classes_part(task, z, index, gradient, weights, epsilon, by, totals):
    tasks, size = totals.size, weights.size
    real = z.dtype.type
    rest, spread = real(1 - epsilon), real(epsilon / size)
    total = 0.0
    for r in range(index.size * task // tasks, index.size * (task + 1) // tasks):
        a = row(gradient, r, size)
        for k in range(size):
            a[k] = weights[k] * spread
        a[index[r]] = weights[index[r]] * (rest + spread)
        total += _entropy(row(z, r, size), a, real(by))
    totals[task] = total


@kernel(reads(1), reads(1), writes(1), reads(1), DOUBLE, DOUBLE, INT)
def _of_probabilities(z, q, gradient, weights, epsilon, by, tasks):
    totals = np.empty(tasks)
    fork(_probabilities_part, tasks, (z, q, gradient, weights, epsilon, by, totals))
    return totals.sum()


@part
def _probabilities_part(task, z, q, gradient, weights, epsilon, by, totals):
    tasks, size = totals.size, weights.size
    real = z.dtype.type
    rest, spread = real(1 - epsilon), real(epsilon / size)
    rows = z.size // size
    total = 0.0
    for r in range(rows * task // tasks, rows * (task + 1) // tasks):
        target, a = row(q, r, size), row(gradient, r, size)
        for k in range(size):
            a[k] = weights[k] * (rest * target[k] + spread)
        total += _entropy(row(z, r, size), a, real(by))
    totals[task] = total


@part(reorder=True)
def _entropy(z, a, by):
    """Return −Σ a·log p of a row and put the gradient (p·Σ a − a) / by in the place of a."""
    zero = z.dtype.type(0)
    top = largest(z)
    log = log_total(z, top)
    total, weight = 0.0, zero
    for k in range(a.size):
        weight += a[k]
        total -= a[k] * log_probability(z[k], top, log) if a[k] > zero else zero  # 0·log 0 counts as 0
    for k in range(a.size):
        a[k] = (exp(log_probability(z[k], top, log)) * weight - a[k]) / by
    return total
