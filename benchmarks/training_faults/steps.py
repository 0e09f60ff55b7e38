"""Updates as people write them, each with places for mistakes; what they remember lies in the closure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.training_faults.codes.code import keys, mapped
from benchmarks.training_faults.scenario import Step

Gradients = Callable[[Any, Any], Any]


def plain(gradients: Gradients, rate: float) -> Step:
    """Return gradient descent that makes new parameters."""
    return lambda params, batch: mapped(lambda w, g: w - rate * g, params, gradients(params, batch))


def in_place(gradients: Gradients, rate: float, leave_out: tuple[Any, ...] = ()) -> Step:
    """Return gradient descent that writes to the parameters, all but ``leave_out``."""

    def step(params, batch):
        grads = gradients(params, batch)
        for key in keys(params):
            if key not in leave_out:
                params[key] -= rate * grads[key]
        return params

    return step


def momentum(
    gradients: Gradients, rate: float, beta: float, *, nesterov: bool = False, bug: str | None = None
) -> Step:
    """Return heavy-ball momentum, or Nesterov's, on a velocity that starts at zero."""
    velocity: dict[Any, Any] = {}

    def step(params, batch):
        grads = gradients(params, batch)
        new = params.copy()
        for key in keys(params):
            v = velocity.get(key, np.zeros_like(params[key]))
            if bug == "velocity subtracted":
                v = -beta * v + grads[key]
            elif bug == "rate twice":
                v = beta * v + rate * grads[key]
            else:
                v = beta * v + grads[key]
            velocity[key] = v
            ahead = grads[key] + beta * v if nesterov else v
            if bug == "looks back":
                ahead = grads[key] - beta * v
            new[key] = params[key] - rate * ahead
        return new

    return step


def adam(
    gradients: Gradients,
    rate: float,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    bug: str | None = None,
) -> Step:
    """Return Adam; ``bug`` names a mistake in its formula."""
    m: dict[Any, Any] = {}
    v: dict[Any, Any] = {}
    count = [0]

    def step(params, batch):
        grads = gradients(params, batch)
        count[0] += 1
        new = params.copy()
        for key in keys(params):
            if bug == "t per parameter":
                count[0] += 1
            t = count[0]
            g = grads[key]
            m[key] = b1 * m.get(key, 0.0) + (1 - b1) * g
            v[key] = b2 * v.get(key, 0.0) + (1 - b2) * (g if bug == "no square" else g * g)
            m_hat, v_hat = m[key] / (1 - b1**t), v[key] / (1 - b2**t)
            if bug == "no corrections":
                m_hat, v_hat = m[key], v[key]
            if bug == "b to the t":
                m_hat, v_hat = m[key] / b1**t, v[key] / b2**t
            root = v_hat if bug == "no root" else np.sqrt(np.abs(v_hat))
            new[key] = params[key] - rate * m_hat / (root + eps)
            if bug == "assigned":
                new[key] = rate * m_hat / (root + eps)
        return new

    return step


def clipped(gradients: Gradients, most: float) -> Gradients:
    """Return gradients whose global norm is at most so much."""

    def clip(params, batch):
        grads = gradients(params, batch)
        norm = np.sqrt(sum(float(np.sum(np.square(grads[key]))) for key in keys(params)))
        return mapped(lambda g: g * min(1.0, most / (norm + 1e-12)), grads)

    return clip
