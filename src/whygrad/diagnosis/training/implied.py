"""Gradients of a training of which only the step is given: what the first step subtracts, over the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Entries up to which gradients are made of differences, and the seconds that all of them may take.
_ENTRIES, _PATIENCE = 4000, 0.04


class Implied(NamedTuple):
    """The same training with gradients."""

    subject: Subject | None
    untested: tuple[str, ...] = ()


def with_implied_gradients(subject: Subject) -> Implied:
    """Return the training with gradients: those that its first step uses, or differences of the loss.

    A first step of gradient descent, with or without momentum, subtracts η times the gradient. Where the step is of
    another kind, as Adam's is, whose entries are all of one size, differences take the place, if they are few.
    """
    rate = subject.learning_rate
    try:
        step = subject.stepper()(subject.params, subject.batch)
    except CallFailed as failed:
        return Implied(None, (f"the gradients: {failed}",))
    moved = np.concatenate([(subject.params[n] - np.asarray(step[n], np.float64)).ravel() for n in subject.names])
    sizes = np.abs(moved[moved != 0])
    alike = sizes.size > 4 and float(np.quantile(sizes, 0.9)) <= 1.05 * float(np.quantile(sizes, 0.25))
    if rate and sizes.size and not alike and _is_descent(subject):
        return Implied(replaced(subject, _from_step(subject)))
    entries = sum(subject.params[n].size for n in subject.names)
    subject.loss()
    if entries <= _ENTRIES and 2 * entries * subject.costs.get("loss", 0.0) < _PATIENCE * subject.clock.seconds:
        return Implied(replaced(subject, differences(subject, subject.names)))
    return Implied(
        None, ("the gradients by themselves: pass gradients(params, batch) beside step to have them tested",)
    )


def _is_descent(subject: Subject) -> bool:
    """Whether twice the distance is gone along the gradient of one sample repeated, as no adaptive step does."""
    return subject.optimizer not in ("adam", "adamw", "rmsprop", "adagrad")


def replaced(subject: Subject, function: Any) -> Subject:
    """Return the training with other gradients."""
    return subject.but(gradients_function=function)


def _from_step(subject: Subject) -> Any:
    rate = float(subject.learning_rate or 1.0)

    def gradients(params: Mapping[str, Array], batch: Any) -> dict[str, Array]:
        new = subject.stepper()(dict(params), batch)
        return {
            n: (np.asarray(params[n], np.float64) - np.asarray(new[n], np.float64)) / rate for n in subject.names
        }

    return gradients


def differences(subject: Subject, names: Sequence[str]) -> Any:
    """Return a function that gives the gradients of some parameters by differences of the loss, entry by entry."""

    def gradients(params: Mapping[str, Array], batch: Any) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for n in names:
            w = np.asarray(params[n], np.float64)
            g = np.zeros(w.shape)
            for i in range(w.size):
                moved = [w.copy(), w.copy()]
                h = 1e-5 * max(abs(float(w.flat[i])), 0.1)
                moved[0].flat[i] += h
                moved[1].flat[i] -= h
                up, down = (subject.loss({**params, n: m}, batch) for m in moved)
                g.flat[i] = (up - down) / (2 * h)
            found[n] = g
        return found

    return gradients
