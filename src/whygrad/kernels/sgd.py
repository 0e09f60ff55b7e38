"""Compiled twin of the update of ``SGD``."""

from __future__ import annotations

from collections.abc import Iterable

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.threads import fork, share
from whygrad.kernels.updates import update_all
from whygrad.typing import Array


def descend(given: Iterable[tuple[Array, ...]], rate: float, keep: float, decay: float) -> list[list[Array]]:
    """Return keep·w − rate·(g + decay·w) for each (w, g)."""
    return update_all(_descend, given, 1, rate, keep, decay)


def roll(
    given: Iterable[tuple[Array, ...]], rate: float, keep: float, decay: float, momentum: float, nesterov: bool
) -> list[list[Array]]:
    """Return w and the velocity after a step with momentum for each (w, g, velocity)."""
    return update_all(_roll, given, 2, rate, keep, decay, momentum, nesterov)


@kernel(*[reads(1)] * 2, writes(1), *[DOUBLE] * 3, INT)
def _descend(w, g, new, rate, keep, decay, tasks):
    real = w.dtype.type
    fork(_descend_part, tasks, (w, g, new, real(rate), real(keep), real(decay), tasks))


@part
def _descend_part(task, w, g, new, rate, keep, decay, tasks):
    w, g, new = share(w, task, tasks), share(g, task, tasks), share(new, task, tasks)
    for i in range(w.size):
        step = g[i] + decay * w[i] if decay else g[i]
        new[i] = keep * w[i] - rate * step


@kernel(*[reads(1)] * 3, *[writes(1)] * 2, *[DOUBLE] * 4, INT, INT)
def _roll(w, g, velocity, new, rolled, rate, keep, decay, momentum, nesterov, tasks):
    real = w.dtype.type
    numbers = real(rate), real(keep), real(decay), real(momentum)
    fork(_roll_part, tasks, (w, g, velocity, new, rolled, numbers, nesterov, tasks))


@part
def _roll_part(task, w, g, velocity, new, rolled, numbers, nesterov, tasks):
    rate, keep, decay, momentum = numbers
    w, g, velocity = share(w, task, tasks), share(g, task, tasks), share(velocity, task, tasks)
    new, rolled = share(new, task, tasks), share(rolled, task, tasks)
    for i in range(w.size):
        gradient = g[i] + decay * w[i] if decay else g[i]
        v = momentum * velocity[i] + gradient
        rolled[i] = v
        new[i] = keep * w[i] - rate * (gradient + momentum * v if nesterov else v)
