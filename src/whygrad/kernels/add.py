"""Compiled twin of ``add``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import binary
from whygrad.kernels.layout import new, order_of, tasks_for, vector
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array


def forward(a: Array, b: Array, floor: float = -np.inf) -> Array:
    """Return a + b, or ``floor`` where that is less: with 0 what a ReLU makes of the sum."""
    return binary(_forward, a, b, floor)


def backward(dy: Array) -> tuple[Array, Array]:
    """Return two copies of dy."""
    order = order_of(dy)
    da, db = new(dy.shape, dy.dtype, order), new(dy.shape, dy.dtype, order)
    _backward[dy.dtype](vector(dy, order), vector(da, order), vector(db, order), tasks_for(dy.size))
    return da, db


@kernel(reads(1), reads(1), writes(1), DOUBLE, INT)
def _forward(a, b, y, floor, tasks):
    fork(_forward_part, tasks, (a, b, y, y.dtype.type(floor), tasks))


@part
def _forward_part(task, a, b, y, floor, tasks):
    a, b, y = share(a, task, tasks), share(b, task, tasks), share(y, task, tasks)
    for i in range(y.size):
        total = a[i] + b[i]
        y[i] = floor if total <= floor else total  # NaN stays NaN


@kernel(reads(1), writes(1), writes(1), INT)
def _backward(dy, da, db, tasks):
    fork(_backward_part, tasks, (dy, da, db, tasks))


@part
def _backward_part(task, dy, da, db, tasks):
    dy, da, db = share(dy, task, tasks), share(da, task, tasks), share(db, task, tasks)
    for i in range(dy.size):
        da[i] = dy[i]
        db[i] = dy[i]
