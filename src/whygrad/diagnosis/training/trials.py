"""Trainings of a few dozen steps on one batch: as given, and with one thing changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.training.report import Trial
from whygrad.diagnosis.training.subject import CallFailed, OutOfTime, Stepper, Subject
from whygrad.typing import Array

#: Steps of a trial, and the seconds that they may take.
STEPS, SECONDS = 80, 1.2
#: As a share of what a constant prediction costs: above it nothing was learned.
_NOTHING = 0.9


def run(
    subject: Subject,
    what: str,
    stepper: Stepper,
    *,
    params: Mapping[str, Array] | None = None,
    batch: Any = None,
    steps: int = STEPS,
    seconds: float = SECONDS,
    value: Any = None,
) -> Trial:
    """Train for a few steps on one batch, and return the loss before each of them and after the last.

    Args:
        subject: the training.
        what: what this trial is called: "learning rate 0.01".
        stepper: makes an update.
        params: other parameters to start from.
        batch: another batch.
        steps: how many updates at most.
        seconds: how long it may take; at least five steps are made.
        value: another number to follow than the loss: value(params, batch).
    """
    measured = value or subject.loss
    now = {n: np.array(a) for n, a in (params or subject.params).items()}
    used = subject.batch if batch is None else batch
    losses: list[float] = []
    kept, began = now, time.monotonic()
    for step in range(steps + 1):
        try:
            losses.append(measured(now, used))
        except CallFailed:
            if not losses:
                raise
            losses.append(float("nan"))  # code that refuses what has become of its parameters
        except OutOfTime:
            break
        if not np.isfinite(losses[-1]):
            break
        kept = now
        if step == steps or (step >= 5 and time.monotonic() - began > seconds):
            break
        try:
            now = stepper(now, used)
        except OutOfTime:
            break
        except CallFailed:
            losses.append(float("nan"))
            break
    if not losses:
        raise OutOfTime
    return Trial(what, tuple(losses), kept)


def as_given(subject: Subject, *, steps: int = STEPS, seconds: float = 2.5) -> Trial:
    """Return the training as it was given; a longer one where the loss is still high and moving."""
    return run(subject, "as given", subject.stepper(), steps=steps, seconds=seconds)


def blank(subject: Subject) -> float:
    """Return the loss with all trained parameters at 0: what a constant prediction costs. NaN where that fails."""
    zeros = {n: np.zeros_like(a) if n in subject.names else a for n, a in subject.params.items()}
    try:
        return subject.loss(zeros)
    except CallFailed:
        return float("nan")


def fails(trial: Trial, constant: float) -> str | None:
    """Return how a training fails: "is not finite", "rises" or "stalls"; None where it learns, or has learned.

    Args:
        trial: the training.
        constant: what a constant prediction costs; NaN where that is not known.

    Example:
        >>> fails(Trial("as given", (2.3, 1.0, 0.5)), 2.3), fails(Trial("as given", (2.3, 2.3, 2.3)), 2.3)
        (None, 'stalls')
    """
    if not trial.finite:
        return "is not finite"
    known = np.isfinite(constant) and constant > 0
    reached = min(trial.last, trial.losses[-1])
    if known and trial.first < 0.5 * constant:  # something was learned before
        return "rises" if reached > max(2 * trial.first, 0.5 * constant) else None
    if trial.last > trial.first * (1 + 1e-3) + 1e-12:
        return "rises"
    if reached <= 0.75 * trial.first and (not known or reached <= _NOTHING * constant):
        return None
    if known and reached <= 0.75 * constant:
        return None
    return "stalls"


def cures(remedy: Trial, given: Trial, constant: float) -> bool:
    """Return whether a training learns where the one as given does not.

    Example:
        >>> cures(Trial("b", (2.3, 1.0)), Trial("a", (2.3, float("nan"))), 2.3)
        True
    """
    if not remedy.finite:
        return False
    reached = remedy.last
    if np.isfinite(constant) and constant > 0 and reached > _NOTHING * constant:
        return False
    if not given.finite:
        return reached < 0.9 * remedy.first
    return reached < 0.7 * min(given.last, max(given.first, 1e-300)) and reached < 0.9 * remedy.first
