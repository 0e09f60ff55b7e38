"""Compiled twin of ``binary_cross_entropy``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.layout import new, order_of, tasks_for, vector
from whygrad.kernels.mathematics import exp, log1p
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def forward(z: Array, t: Array, by: float) -> tuple[float, Array]:
    """Return Σ (max(z, 0) − z·t + log(1 + e^(−|z|))) / by and its gradient (σ(z) − t) / by."""
    order = order_of(z)
    gradient = new(z.shape, z.dtype, order)
    total = _forward[z.dtype](vector(z, order), vector(t, order), vector(gradient, order), by, tasks_for(z.size))
    return total / by, gradient


@kernel(reads(1), reads(1), writes(1), DOUBLE, INT)
def _forward(z, t, gradient, by, tasks):
    totals = np.empty(tasks)
    fork(_forward_part, tasks, (z, t, gradient, by, totals))
    return totals.sum()


@part(reorder=True)
def _forward_part(task, z, t, gradient, by, totals):
    tasks = totals.size
    z, t, gradient = share(z, task, tasks), share(t, task, tasks), share(gradient, task, tasks)
    zero, one, by = z.dtype.type(0), z.dtype.type(1), z.dtype.type(by)
    total = 0.0
    # One loop stores and another adds: a loop that does both is vector code only where its arrays lie far apart,
    # which would change the bits.
    for i in range(z.size):
        gradient[i] = exp(-abs(z[i]))
    for i in range(z.size):
        total += (z[i] * (one - t[i]) if z[i] > zero else -z[i] * t[i]) + log1p(gradient[i])
    for i in range(z.size):
        small = gradient[i]
        gradient[i] = ((one if z[i] >= zero else small) / (one + small) - t[i]) / by
    totals[task] = total
