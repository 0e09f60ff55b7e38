"""Compiled twin of the update of ``Adam`` and ``AdamW``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whygrad.kernels.compiler import part
from whygrad.kernels.threads import fork
from whygrad.kernels.updates import over_all, own, update_all
from whygrad.typing import Array


def step(
    given: Sequence[Sequence[Array]],
    *,
    rate: float,
    betas: tuple[float, float],
    corrections: tuple[float, float],
    eps: float,
    keep: float,
    decay: float,
) -> list[list[Array]]:
    """Return all w, means and mean squares after a step from keep·w along g + decay·w.

    Given are all w, gradients, means and mean squares.
    """
    return update_all(_step, given, 3, rate, *betas, *corrections, eps, keep, decay)


@over_all(options=8)
def _step(like, places, sizes, rate, beta1, beta2, correction1, correction2, eps, keep, decay, tasks):
    real = like.dtype.type
    weights = real(beta1), real(1 - beta1), real(beta2), real(1 - beta2)
    numbers = real(rate), real(correction1), real(correction2), real(eps), real(keep), real(decay)
    fork(_step_part, tasks, (like, places, sizes, weights, numbers, tasks))


@part
def _step_part(task, like, places, sizes, weights, numbers, tasks):
    old1, new1, old2, new2 = weights
    rate, correction1, correction2, eps, keep, decay = numbers
    for p in range(sizes.size):
        at = places, sizes, p, task, tasks
        w, g, mean, square = own(like, at, 0), own(like, at, 1), own(like, at, 2), own(like, at, 3)
        new, m, v = own(like, at, 4), own(like, at, 5), own(like, at, 6)
        for i in range(w.size):
            gradient = g[i] + decay * w[i] if decay else g[i]
            m[i] = mean_ = old1 * mean[i] + new1 * gradient
            v[i] = square_ = old2 * square[i] + new2 * (gradient * gradient)
            new[i] = keep * w[i] - rate * (mean_ / correction1) / (np.sqrt(square_ / correction2) + eps)
