"""Compiled twin of the passes of ``clip_by_global_norm`` over the gradients."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array
from whygrad.workspace import empty


def sum_of_squares(gradients: Iterable[Array]) -> float:
    """Return Σg² in float64 over all entries; it is not finite if an entry is not."""
    return float(sum(_squares[g.dtype](g.ravel(), tasks_for(g.size)) for g in gradients))


def scaled(g: Array, factor: float) -> tuple[Array, int]:
    """Return g · factor, multiplied in float64, and how many entries that changed."""
    result = empty(g.shape, g.dtype)
    return result, int(_scale[g.dtype](g.ravel(), result.reshape(-1), factor, tasks_for(g.size)))


@kernel(reads(1), INT, reorder=True)
def _squares(g, tasks):
    sums = np.zeros(tasks)
    fork(_squares_part, tasks, (g, sums, tasks))
    total = 0.0
    for task in range(tasks):
        total += sums[task]
    return total


@part(reorder=True)
def _squares_part(task, g, sums, tasks):
    g, total = share(g, task, tasks), 0.0
    for i in range(g.size):
        total += np.float64(g[i]) * np.float64(g[i])
    sums[task] = total


@kernel(reads(1), writes(1), DOUBLE, INT)
def _scale(g, result, factor, tasks):
    counts = np.zeros(tasks, np.int64)
    fork(_scale_part, tasks, (g, result, factor, counts, tasks))
    return counts.sum()


@part
def _scale_part(task, g, result, factor, counts, tasks):
    g, result, changed = share(g, task, tasks), share(result, task, tasks), 0
    for i in range(g.size):
        result[i] = np.float64(g[i]) * factor
        changed += result[i] != g[i]
    counts[task] = changed
