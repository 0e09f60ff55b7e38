"""How well the formula of an optimiser reproduces recorded steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.training.recording import Recorded, flat
from whygrad.diagnosis.training.rules import Rule
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: By how much steps may miss a formula, relative, beside the rounding of the parameters.
TOLERANCE = 1e-4


class Fit(NamedTuple):
    """How well a rule reproduces the steps."""

    rule: Rule
    misfit: float
    rate: float
    decay: float  #: of weights, beside the gradient


def fitted(rule: Rule, steps: Sequence[Recorded], *, decays: bool = True, grows: bool = False) -> Fit:
    """Return how well a rule reproduces steps, at the learning rate and weight decay that suit it best.

    Args:
        rule: the rule.
        steps: the steps.
        decays: whether there may be weight decay.
        grows: whether that may be negative.
    """
    wanted, offered, weights, rounding = [], [], [], 0.0
    for r in steps:
        told = rule.steps(r.gradients, r.params)
        taken = {n: r.after[n].astype(np.float64) * -1 for n in told} if rule.replaces else r.taken
        wanted.append(flat({n: taken[n] for n in told}))
        offered.append(flat(told))
        weights.append(flat({n: r.params[n] for n in told}).astype(np.float64))
        rounding = max(rounding, _rounding(r))
    d, o, w = (np.concatenate(parts) for parts in (wanted, offered, weights))
    if rule.replaces:
        o = -o
        d = -d
    if not np.isfinite(o).all() or not np.any(o):
        return Fit(rule, np.inf, 0.0, 0.0)
    rate, decay = float(d @ o) / float(o @ o), 0.0
    if decays and not rule.replaces:
        matrix = np.stack([o, w], axis=1)
        (with_rate, with_decay), *_ = np.linalg.lstsq(matrix, d, rcond=None)
        if (with_decay > 0 or grows) and misfit(d, with_rate * o + with_decay * w, rounding) < 0.3 * misfit(
            d, rate * o, rounding
        ):
            rate, decay = float(with_rate), float(with_decay)
    return Fit(rule, misfit(d, rate * o + decay * w, rounding), rate, decay)


def misfit(wanted: Array, told: Array, rounding: float) -> float:
    """Return by how much steps are missed, relative to them, beyond what rounding explains."""
    size = float(np.sqrt(np.mean(wanted**2)))
    error = float(np.sqrt(np.mean((wanted - told) ** 2)))
    return max(error - 2 * rounding, 0.0) / size if size else np.inf


def _rounding(step: Recorded) -> float:
    """Return what the largest parameter is rounded by."""
    floats = (a for a in step.params.values() if a.dtype.kind == "f")
    return max((float(np.finfo(a.dtype).eps * np.abs(a).max(initial=0)) for a in floats), default=0.0)


def betas_of(subject: Subject, steps: Sequence[Recorded]) -> tuple[float, ...]:
    """Return momenta that the steps may have: the one given, usual ones, and those that the first steps tell."""
    found = {0.9, 0.5, 0.8, 0.95, 0.99}
    g0, g1, d0, d1 = (flat(x) for x in (steps[0].gradients, steps[1].gradients, steps[0].taken, steps[1].taken))
    square = float(g0 @ g0)
    rate = float(d0 @ g0) / square if square else 0.0
    if rate:
        found.add(round(float((d1 / rate - g1) @ g0) / square, 6))
        if subject.learning_rate:
            found.add(round(rate / float(subject.learning_rate) - 1, 6))
            found.add(round(1 - rate / float(subject.learning_rate), 6))
    given = {subject.momentum} if subject.momentum > 0 else set()
    return tuple(sorted({b for b in found if 0.01 < b < 0.9995} | given))
