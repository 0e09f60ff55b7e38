"""Compiled twin of the update of ``RMSprop``."""

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
    alpha: float,
    eps: float,
    momentum: float,
    decay: float,
    centred: bool,
) -> list[list[Array]]:
    """Return all w, mean squares, means if ``centred`` and velocities if there is momentum after a step.

    Given are all w and gradients, and then the old ones of these.
    """
    slots = 1 + centred + bool(momentum)
    return update_all(_step, given, 1 + slots, rate, alpha, eps, momentum, decay, float(centred))


@over_all(options=6)
def _step(like, places, sizes, rate, alpha, eps, momentum, decay, centred, tasks):
    real = like.dtype.type
    numbers = real(rate), real(alpha), real(1 - alpha), real(eps), real(momentum), real(decay)
    fork(_step_part, tasks, (like, places, sizes, numbers, centred != 0, momentum != 0, tasks))


@part
def _step_part(task, like, places, sizes, numbers, centred, rolling, tasks):
    slots = 1 + centred + rolling
    for p in range(sizes.size):
        at = places, sizes, p, task, tasks
        w, g, square, new, s = (
            own(like, at, 0),
            own(like, at, 1),
            own(like, at, 2),
            own(like, at, 2 + slots),
            own(like, at, 3 + slots),
        )
        # Arrays that the step does without are others in their place, which are not touched.
        mean, a = (own(like, at, 3), own(like, at, 4 + slots)) if centred else (w, s)
        velocity, v = (own(like, at, 1 + slots), own(like, at, 2 + 2 * slots)) if rolling else (w, s)
        if centred and rolling:
            for i in range(w.size):
                a[i], unit = _unit(w[i], g[i], square[i], mean[i], s, i, numbers, True)
                v[i] = numbers[4] * velocity[i] + unit
                new[i] = w[i] - numbers[0] * v[i]
        elif centred:
            for i in range(w.size):
                a[i], unit = _unit(w[i], g[i], square[i], mean[i], s, i, numbers, True)
                new[i] = w[i] - numbers[0] * unit
        elif rolling:
            for i in range(w.size):
                _, unit = _unit(w[i], g[i], square[i], w[i], s, i, numbers, False)
                v[i] = numbers[4] * velocity[i] + unit
                new[i] = w[i] - numbers[0] * v[i]
        else:
            for i in range(w.size):
                _, unit = _unit(w[i], g[i], square[i], w[i], s, i, numbers, False)
                new[i] = w[i] - numbers[0] * unit


@part
def _unit(w, g, square, mean, s, i, numbers, centred):
    """Return the new mean and the gradient in units of its size, and write the mean square."""
    _, alpha, rest, eps, _, decay = numbers
    gradient = g + decay * w if decay else g
    spread = alpha * square + rest * (gradient * gradient)
    s[i] = spread
    if centred:
        mean = alpha * mean + rest * gradient
        spread -= mean * mean
        spread = spread * 0 if spread < 0 else spread
    return mean, gradient / (np.sqrt(spread) + eps)
