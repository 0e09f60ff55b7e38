"""The formulas of optimisers, as they should be and as people get them wrong, at a learning rate of 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from whygrad.typing import Array

#: state, gradient, parameter, the number of the step from 1 → what is subtracted, at a learning rate of 1.
Formula = Callable[[dict[str, Any], Array, Array, int], Array]


def total(s: dict[str, Any], name: str, g: Array) -> Array:
    """Add to what is kept under a name, and return the sum."""
    s[name] = s.get(name, 0.0) + g
    return s[name]


def delayed(s: dict[str, Any], g: Array) -> Array:
    """Return the gradient of the step before."""
    before = s.get("g", np.zeros_like(g))
    s["g"] = g
    return before


def momentum(
    beta: float, *, damping: float = 1.0, ahead: bool = False, sign: int = 1, forgetting: bool = False
) -> Formula:
    """Return v ← β·v + g, and v as the step, or g + β·v ahead; ``sign`` and ``forgetting`` are mistakes."""

    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w
        v = beta * s.get("v", 0.0) + sign * damping * g
        if not forgetting or t == 1:
            s["v"] = v
        return damping * g + beta * v if ahead else v

    return formula


def nesterov_wrong(beta: float, kind: str) -> Formula:
    """Return one of the ways in which Nesterov's momentum is written wrongly."""

    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w, t
        old = s.get("v", np.zeros_like(g))
        v = s["v"] = beta * old + g
        return {
            "no gradient": beta * v,
            "back": g - beta * v,
            "old": g + beta * old + beta * v,
            "twice": v + beta * v,
        }[kind]

    return formula


def adam(b1: float, b2: float, eps: float, *, kind: str = "", inside: bool = False) -> Formula:
    """Return m̂/(√v̂ + eps), or with eps ``inside`` the root; ``kind`` is a mistake."""
    if kind == "swapped":
        b1, b2 = b2, b1

    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w
        m = s["m"] = b1 * s.get("m", 0.0) + (1 - b1) * g
        v = s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * (g if kind == "not squared" else g * g)
        t = {"first t": 1, "t from 2": t + 1}.get(kind, t)
        by_m, by_v = 1 - b1**t, 1 - b2**t
        if kind == "power":
            by_m, by_v = b1**t, b2**t
        if kind in ("no correction", "no m"):
            by_m = 1.0
        if kind in ("no correction", "no v"):
            by_v = 1.0
        m, v = m / by_m, v / by_v
        if inside:
            return m / np.sqrt(v + eps)
        return m / ((v if kind == "no root" else np.sqrt(np.abs(v))) + eps)

    return formula


def rmsprop(
    rho: float,
    eps: float,
    *,
    inside: bool = False,
    root: bool = True,
    swapped: bool = False,
    squared: bool = True,
    times: bool = False,
) -> Formula:
    """Return g/(√v + eps), or with eps ``inside`` the root; what else can be chosen are mistakes."""

    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w, t
        keep = 1 - rho if swapped else rho
        v = s["v"] = keep * s.get("v", 0.0) + (1 - keep) * (g * g if squared else g)
        if times:
            return g * np.sqrt(np.abs(v))
        if inside:
            return g / np.sqrt(v + eps)
        return g / ((np.sqrt(np.abs(v)) if root else v) + eps)

    return formula


def adagrad(eps: float) -> Formula:
    """Return g/(√Σg² + eps)."""

    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w, t
        squares = total(s, "sum", g * g)
        return np.divide(g, np.sqrt(squares) + eps, out=np.zeros_like(g), where=squares > 0)

    return formula
