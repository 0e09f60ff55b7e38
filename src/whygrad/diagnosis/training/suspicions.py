"""What a suspicion is: something that may do harm, and the trainings without it that would show so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.report import Trial, shown_by
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import cures

#: Of a training that learns: the share of its loss that another may keep to be far better.
_BETTER = 0.5
#: What the first loss of another may be of its own, and its last, where it loses its steps to come down from there.
_LOWER, _NO_WORSE = 0.25, 1.2


class Remedy(NamedTuple):
    """A training with one thing changed."""

    run: Callable[[], Trial]
    fix: str = ""  #: what to do if it cures


class Suspicion(NamedTuple):
    """Something that may be why a training fails, and what would show it."""

    finding: Finding
    remedies: Sequence[Remedy]
    other_loss: bool = False  #: whether the remedies measure another loss, which cannot be compared
    reference: Callable[[], Trial] | None = None  #: the training as given, by the loss that the remedies measure
    swings: bool = False  #: whether the loss goes up and down, so that its mean tells more than its end
    strong: bool = False  #: whether it counts also where none of its remedies helps, if nothing else does


def tried(
    subject: Subject, suspicion: Suspicion, given: Trial, constant: float, *, learning: bool = False
) -> tuple[Finding | None, list[Trial]]:
    """Run remedies until one cures; return the finding with what showed it, and all trainings that were run."""
    ran: list[Trial] = []
    for remedy in suspicion.remedies:
        if not subject.clock.allows(0.3):
            break
        try:
            trial = remedy.run()
        except CallFailed:
            continue
        ran.append(trial)
        if learning:  # as far as the training as given went, and no further
            trial = replace(trial, losses=trial.losses[: given.steps + 1])
        base = suspicion.reference() if suspicion.reference else given
        if suspicion.other_loss:
            cured = not learning and trial.finite and trial.last < 0.6 * trial.first
        else:
            cured = cures(trial, base, constant, better=_BETTER if learning else None) or (
                learning and (_spares_the_way_down(trial, base) or (suspicion.swings and _rests(trial, base)))
            )
        if cured:
            finding = shown_by(suspicion.finding, base, trial)
            if remedy.fix:
                finding = _with_fix(finding, remedy.fix)
            return finding, ran
    return None, ran


def _spares_the_way_down(trial: Trial, given: Trial) -> bool:
    """Whether a training begins far below another that takes its steps to come down there, and ends no worse."""
    return (
        trial.finite
        and trial.first < _LOWER * given.first
        and trial.last < 0.9 * trial.first
        and trial.last < _NO_WORSE * given.last
        and float(np.mean(trial.losses)) < _BETTER * float(np.mean(given.losses))
    )


def _rests(trial: Trial, given: Trial) -> bool:
    """Whether a training's loss is far lower in the mean over the later half of the steps that both made."""
    steps = min(len(trial.losses), len(given.losses))
    other, own = (float(np.mean(t.losses[steps // 2 : steps])) for t in (trial, given))
    return trial.finite and other < _BETTER * own and trial.last < 0.9 * trial.first


def _with_fix(finding: Finding, fix: str) -> Finding:
    return replace(finding, fix=fix)


def rounded(value: float) -> float:
    """Return a rate with two digits, as a person would write it.

    Example:
        >>> rounded(0.0123456), rounded(3.7)
        (0.012, 3.7)
    """
    return float(f"{value:.2g}")
