"""Squared distances, the common part of the losses that add them up."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.layout import new, order_of, tasks_for, vector
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def squares(y: Array, t: Array, factor: float, by: float) -> tuple[float, Array]:
    """Return Σ (y − t)² and factor · (y − t) / by."""
    order = order_of(y)
    gradient = new(y.shape, y.dtype, order)
    total = _squares[y.dtype](
        vector(y, order), vector(t, order), vector(gradient, order), factor, by, tasks_for(y.size)
    )
    return total, gradient


@kernel(reads(1), reads(1), writes(1), DOUBLE, DOUBLE, INT)
def _squares(y, t, gradient, factor, by, tasks):
    totals = np.empty(tasks)
    fork(_squares_part, tasks, (y, t, gradient, factor, by, totals))
    return totals.sum()


@part(reorder=True)
def _squares_part(task, y, t, gradient, factor, by, totals):
    tasks = totals.size
    y, t, gradient = share(y, task, tasks), share(t, task, tasks), share(gradient, task, tasks)
    factor, by = y.dtype.type(factor), y.dtype.type(by)
    total = 0.0
    # One loop adds and another stores: a loop that does both is vector code only where its arrays lie far apart,
    # which would change the bits.
    for i in range(y.size):
        difference = y[i] - t[i]
        total += difference * difference
    for i in range(y.size):
        gradient[i] = factor * (y[i] - t[i]) / by
    totals[task] = total
