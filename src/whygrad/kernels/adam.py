"""Compiled twin of the update of ``Adam`` and ``AdamW``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.threads import fork, share
from whygrad.kernels.updates import update
from whygrad.typing import Array


def step(
    w: Array,
    g: Array,
    mean: Array,
    square: Array,
    *,
    rate: float,
    betas: tuple[float, float],
    corrections: tuple[float, float],
    eps: float,
    keep: float,
    decay: float,
) -> tuple[Array, Array, Array]:
    """Return w, the mean and the mean square after a step from keep·w along g + decay·w."""
    new, m, v = update(_step, w, (g, mean, square), 3, rate, *betas, *corrections, eps, keep, decay)
    return new, m, v


@kernel(*[reads(1)] * 4, *[writes(1)] * 3, *[DOUBLE] * 8, INT)
def _step(w, g, mean, square, new, m, v, rate, beta1, beta2, correction1, correction2, eps, keep, decay, tasks):
    real = w.dtype.type
    weights = real(beta1), real(1 - beta1), real(beta2), real(1 - beta2)
    numbers = real(rate), real(correction1), real(correction2), real(eps), real(keep), real(decay)
    fork(_step_part, tasks, (w, g, mean, square, new, m, v, weights, numbers, tasks))


@part
def _step_part(task, w, g, mean, square, new, m, v, weights, numbers, tasks):
    old1, new1, old2, new2 = weights
    rate, correction1, correction2, eps, keep, decay = numbers
    w, g, mean, square = (
        share(w, task, tasks),
        share(g, task, tasks),
        share(mean, task, tasks),
        share(square, task, tasks),
    )
    new, m, v = share(new, task, tasks), share(m, task, tasks), share(v, task, tasks)
    for i in range(w.size):
        gradient = g[i] + decay * w[i] if decay else g[i]
        m[i] = mean_ = old1 * mean[i] + new1 * gradient
        v[i] = square_ = old2 * square[i] + new2 * (gradient * gradient)
        new[i] = keep * w[i] - rate * (mean_ / correction1) / (np.sqrt(square_ / correction2) + eps)
