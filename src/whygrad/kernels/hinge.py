"""Compiled twin of ``hinge``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.rows import INDICES, along_last, back, indices, row
from whygrad.kernels.threads import fork
from whygrad.typing import Array, IntArray
from whygrad.workspace import empty


def forward(s: Array, index: IntArray, margin: float, by: float) -> tuple[float, Array]:
    """Return Σ max(0, s[n,k] − s[n,t] + margin) / by over k ≠ t, and its gradient."""
    rows = along_last(s, 1)
    gradient = empty(rows.shape, s.dtype)
    total = _forward[s.dtype](
        rows.reshape(-1), indices(index), gradient.reshape(-1), s.shape[1], margin, by, tasks_for(s.size)
    )
    return total / by, back(gradient, 1)


@kernel(reads(1), INDICES, writes(1), INT, DOUBLE, DOUBLE, INT)
def _forward(s, index, gradient, size, margin, by, tasks):
    totals = np.zeros(tasks)
    fork(_forward_part, tasks, (s, index, gradient, size, margin, by, totals))
    return totals.sum()


@part
def _forward_part(task, s, index, gradient, size, margin, by, totals):
    tasks = totals.size
    real = s.dtype.type
    total = 0.0
    for r in range(index.size * task // tasks, index.size * (task + 1) // tasks):
        total += _charge(row(s, r, size), row(gradient, r, size), index[r], real(margin), real(by))
    totals[task] = total


@part  # on its own since it must not be reordered: it decides about the kink
def _excess(s, own, margin):
    return s - own + margin


@part(reorder=True)
def _charge(s, gradient, right, margin, by):
    zero, one = s.dtype.type(0), s.dtype.type(1)
    own, share = s[right], one / by
    total, charged = 0.0, 0
    # One loop stores and another adds: a loop that does both is vector code only where its arrays lie far apart,
    # which would change the bits.
    for k in range(s.size):
        gradient[k] = zero if k == right else _excess(s[k], own, margin)
    for k in range(gradient.size):
        total += zero if gradient[k] <= zero else gradient[k]  # NaN stays NaN
        charged += gradient[k] > zero
    for k in range(gradient.size):
        gradient[k] = share if gradient[k] > zero else zero
    gradient[right] = -s.dtype.type(charged) / by
    return total
