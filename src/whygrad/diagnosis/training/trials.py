"""Trainings of a few dozen steps: as given, and with one thing changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.training.adaptive import Adaptive
from whygrad.diagnosis.training.descent import Stepper
from whygrad.diagnosis.training.report import Trial
from whygrad.diagnosis.training.stopping import CallFailed, OutOfTime
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Steps of a trial, and the seconds that they may take.
STEPS, SECONDS = 80, 1.2
#: Momentum beyond which trainings are followed for longer.
_MUCH_MOMENTUM = 0.94
#: As a share of what a constant prediction costs: above it nothing was learned.
_NOTHING = 0.9


def run(
    subject: Subject,
    what: str,
    stepper: Stepper,
    *,
    params: Mapping[str, Array] | None = None,
    batch: Any = None,
    through: Callable[[Any], Any] | None = None,
    steps: int = STEPS,
    seconds: float = SECONDS,
    value: Any = None,
) -> Trial:
    """Train for a few steps, and return the loss of a few batches together before each of them and after the last.

    Args:
        subject: the training.
        what: what this trial is called: "learning rate 0.01".
        stepper: makes an update.
        params: other parameters to start from.
        batch: one batch to train on, instead of the training's own one after the other.
        through: what is made of every batch first.
        steps: how many updates at most.
        seconds: how long it may take; at least five steps are made.
        value: another number to follow than the loss: value(params, batch).
    """
    measured = value or subject.loss
    now = {n: np.array(a) for n, a in (params or subject.params).items()}
    change = through or (lambda b: b)
    stream = [batch] if batch is not None else subject.stream
    used = change(subject.watched if batch is None else batch)
    losses: list[float] = []
    kept, began = now, time.process_time()
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
        if step == steps or (step >= 5 and time.process_time() - began > seconds):
            break
        try:
            now = stepper(now, change(stream[step % len(stream)]))
        except OutOfTime:
            break
        except CallFailed:
            losses.append(float("nan"))
            break
    if not losses:
        raise OutOfTime
    return Trial(what, tuple(losses), kept)


def as_given(subject: Subject, *, steps: int = STEPS, seconds: float = 2.5) -> Trial:
    """Return the training as it was given."""
    if subject.momentum > _MUCH_MOMENTUM:  # what so much momentum does shows late
        steps, seconds = 4 * steps, 2 * seconds
    return run(subject, "as given", subject.stepper(), steps=steps, seconds=seconds)


def blank(subject: Subject) -> float:
    """Return the loss with all trained parameters at 0: what a constant prediction costs. NaN where that fails."""
    zeros = {n: np.zeros_like(a) if n in subject.names else a for n, a in subject.params.items()}
    try:
        return subject.loss(zeros, subject.watched)
    except CallFailed:
        return float("nan")


def constant_loss(subject: Subject, batch: Any = None) -> float:
    """Return what the best constant prediction costs, found by training the last bias of a blank network alone."""
    used = subject.watched if batch is None else batch
    zeros = {n: np.zeros_like(a) if n in subject.names else a for n, a in subject.params.items()}
    try:
        floor = subject.loss(zeros, used)
    except CallFailed:
        return float("nan")
    biases = [n for n in subject.names if n not in subject.weights]
    if not biases or not subject.weights or subject.gradients_function is None or not np.isfinite(floor):
        return floor  # of vectors alone none is known to be a bias
    last = biases[-1]

    def only(gradients: dict[str, Array], params: Any, batch: Any) -> dict[str, Array]:
        del params, batch
        return {last: gradients[last]} if last in gradients else {}

    try:
        trial = run(
            subject, "constant", Adaptive(subject, 0.1, only), params=zeros, batch=used, steps=50, seconds=0.4
        )
    except CallFailed:
        return floor
    return float(min(v for v in trial.losses if np.isfinite(v)))


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


def cures(remedy: Trial, given: Trial, constant: float, *, better: float | None = None) -> bool:
    """Return whether a training learns where the one as given does not.

    Args:
        remedy: the training with something changed.
        given: the training as given.
        constant: what a constant prediction costs.
        better: where the training as given learns something: which share of its loss the other may keep.

    Example:
        >>> cures(Trial("b", (2.3, 1.0)), Trial("a", (2.3, float("nan"))), 2.3)
        True
    """
    if not remedy.finite:
        return False
    reached = remedy.last
    if np.isfinite(constant) and constant > 0 and reached > _NOTHING * constant:
        return False
    if better is not None:
        return given.last > 0.02 * abs(constant) and reached < better * given.last
    if not given.finite:
        return reached < 0.9 * remedy.first
    return reached < 0.7 * min(given.last, max(given.first, 1e-300)) and reached < 0.9 * remedy.first
