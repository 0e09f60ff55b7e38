"""Compiled twin of ``dropout``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, DOUBLES, INT, kernel, part, reads, writes
from whygrad.kernels.elementwise import product
from whygrad.kernels.layout import new, order_of, tasks_for, vector
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array

backward = product


def forward(x: Array, drawn: Array, p: float) -> tuple[Array, Array]:
    """Return y and the factor by which x is multiplied: 0 where the number drawn is below p, else 1/(1−p)."""
    order = order_of(x)
    y, factor = new(x.shape, x.dtype, order), new(x.shape, x.dtype, order)
    drawn = vector(np.asarray(drawn), order)
    _forward[x.dtype](vector(x, order), drawn, vector(y, order), vector(factor, order), p, tasks_for(x.size))
    return y, factor


@kernel(reads(1), DOUBLES, writes(1), writes(1), DOUBLE, INT)
def _forward(x, drawn, y, factor, p, tasks):
    fork(_forward_part, tasks, (x, drawn, y, factor, p, tasks))


@part
def _forward_part(task, x, drawn, y, factor, p, tasks):
    x, drawn = share(x, task, tasks), share(drawn, task, tasks)
    y, factor = share(y, task, tasks), share(factor, task, tasks)
    zero, kept = x.dtype.type(0), x.dtype.type(1 / (1 - p))
    for i in range(x.size):
        f = kept if drawn[i] >= p else zero
        factor[i] = f
        y[i] = x[i] * f
