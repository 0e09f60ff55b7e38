"""Compiled twin of the update of ``SGD``."""

from __future__ import annotations

from collections.abc import Sequence

from whygrad.kernels.compiler import part
from whygrad.kernels.threads import fork
from whygrad.kernels.updates import over_all, own, update_all
from whygrad.typing import Array

Arrays = Sequence[Array]


def descend(ws: Arrays, gs: Arrays, rate: float, keep: float, decay: float) -> list[list[Array]]:
    """Return the list of all keep·w − rate·(g + decay·w)."""
    return update_all(_descend, (ws, gs), 1, rate, keep, decay)


def roll(
    ws: Arrays,
    gs: Arrays,
    velocities: Arrays,
    rate: float,
    keep: float,
    decay: float,
    momentum: float,
    nesterov: bool,
) -> list[list[Array]]:
    """Return all w and all velocities after a step with momentum."""
    return update_all(_roll, (ws, gs, velocities), 2, rate, keep, decay, momentum, float(nesterov))


@over_all(options=3)
def _descend(like, places, sizes, rate, keep, decay, tasks):
    real = like.dtype.type
    fork(_descend_part, tasks, (like, places, sizes, real(rate), real(keep), real(decay), tasks))


@part
def _descend_part(task, like, places, sizes, rate, keep, decay, tasks):
    for p in range(sizes.size):
        at = places, sizes, p, task, tasks
        w, g, new = own(like, at, 0), own(like, at, 1), own(like, at, 2)
        for i in range(w.size):
            step = g[i] + decay * w[i] if decay else g[i]
            new[i] = keep * w[i] - rate * step


@over_all(options=5)
def _roll(like, places, sizes, rate, keep, decay, momentum, nesterov, tasks):
    real = like.dtype.type
    numbers = real(rate), real(keep), real(decay), real(momentum)
    fork(_roll_part, tasks, (like, places, sizes, numbers, nesterov, tasks))


@part
def _roll_part(task, like, places, sizes, numbers, nesterov, tasks):
    rate, keep, decay, momentum = numbers
    for p in range(sizes.size):
        at = places, sizes, p, task, tasks
        w, g, velocity, new, rolled = (
            own(like, at, 0),
            own(like, at, 1),
            own(like, at, 2),
            own(like, at, 3),
            own(like, at, 4),
        )
        for i in range(w.size):
            gradient = g[i] + decay * w[i] if decay else g[i]
            v = momentum * velocity[i] + gradient
            rolled[i] = v
            new[i] = keep * w[i] - rate * (gradient + momentum * v if nesterov else v)
