"""Compiled twin of the update of ``RMSprop``, in a form for each set of slots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, kernel, part, reads, writes
from whygrad.kernels.threads import fork, share
from whygrad.kernels.updates import update
from whygrad.typing import Array


def step(
    w: Array,
    g: Array,
    old: Mapping[str, Array],
    rate: float,
    alpha: float,
    eps: float,
    momentum: float,
    decay: float,
) -> tuple[Array, dict[str, Array]]:
    """Return w and the slots after a step."""
    names, numbers = tuple(old), (rate, alpha, eps, momentum, decay)
    new, *slots = update(_STEPS[names], w, (g, *old.values()), 1 + len(old), *numbers)
    return new, dict(zip(names, slots, strict=True))


def _plain(w, g, square, new, s, rate, alpha, eps, momentum, decay, tasks):
    fork(
        _part,
        tasks,
        (w, g, square, w, w, new, s, s, s, _numbers(w, rate, alpha, eps, momentum, decay), 0, 0, tasks),
    )


def _centred(w, g, square, mean, new, s, a, rate, alpha, eps, momentum, decay, tasks):
    numbers = _numbers(w, rate, alpha, eps, momentum, decay)
    fork(_part, tasks, (w, g, square, mean, w, new, s, a, s, numbers, 1, 0, tasks))


def _rolling(w, g, square, velocity, new, s, v, rate, alpha, eps, momentum, decay, tasks):
    numbers = _numbers(w, rate, alpha, eps, momentum, decay)
    fork(_part, tasks, (w, g, square, w, velocity, new, s, s, v, numbers, 0, 1, tasks))


def _both(w, g, square, mean, velocity, new, s, a, v, rate, alpha, eps, momentum, decay, tasks):
    numbers = _numbers(w, rate, alpha, eps, momentum, decay)
    fork(_part, tasks, (w, g, square, mean, velocity, new, s, a, v, numbers, 1, 1, tasks))


@part
def _numbers(w, rate, alpha, eps, momentum, decay):
    real = w.dtype.type
    return real(rate), real(alpha), real(1 - alpha), real(eps), real(momentum), real(decay)


@part
def _part(task, w, g, square, mean, velocity, new, s, a, v, numbers, centred, rolling, tasks):
    """Make the step; arrays that it does without are others in their place, which are not touched."""
    w, g, new, s, square = (
        share(w, task, tasks),
        share(g, task, tasks),
        share(new, task, tasks),
        share(s, task, tasks),
        share(square, task, tasks),
    )
    mean, velocity = share(mean, task, tasks), share(velocity, task, tasks)
    a, v = share(a, task, tasks), share(v, task, tasks)
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


def _compiled(function: Any, slots: int) -> Any:
    return kernel(*[reads(1)] * (2 + slots), *[writes(1)] * (1 + slots), *[DOUBLE] * 5, INT)(function)


_STEPS = {
    ("square",): _compiled(_plain, 1),
    ("square", "mean"): _compiled(_centred, 2),
    ("square", "velocity"): _compiled(_rolling, 2),
    ("square", "mean", "velocity"): _compiled(_both, 3),
}
