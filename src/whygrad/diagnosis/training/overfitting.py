"""Whether a few samples can be learned by heart."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.diagnosis.training.adaptive import Adaptive
from whygrad.diagnosis.training.batches import subset
from whygrad.diagnosis.training.penalty import data_loss
from whygrad.diagnosis.training.report import Evidence, Trial, fault
from whygrad.diagnosis.training.samples import class_indices, samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import constant_loss, run

#: Samples that every model, and that every network with a hidden layer, should be able to learn by heart.
_FEW, _BATCH = 4, 96
#: Numbers of a sample from which on even one layer learns that many by heart.
_WIDE = 32
#: The share of what a constant answer costs that few and many samples come below when they are learned by heart.
_FEW_LEFT, _LEFT = 0.7, 0.15
#: Share of the samples that are answered rightly by a network that knows them by heart.
_RIGHT = 0.95


def examine_overfitting(subject: Subject) -> Evidence:
    """Say whether a few samples can be learned by heart, by gradient descent and Adam at several rates."""
    few, how, many = _few(subject)
    if few is None or subject.gradients_function is None:
        return Evidence("learning", untested=(f"whether a few samples can be learned by heart: {how}",))
    trials: list[Trial] = []
    try:
        constant = constant_loss(subject, few)
        enough = (_LEFT if many else _FEW_LEFT) * constant
        for rate in (0.01, 0.001, 0.1):
            trials.append(_by_heart(subject, few, how, rate))
            if _least(trials[-1]) < enough or _answered(subject, trials[-1], few):
                return Evidence("learning", says=f"{trials[-1]}")
    except CallFailed as failed:
        return Evidence("learning", untested=(f"whether a few samples can be learned by heart: {failed}",))
    best = min(trials, key=_least)
    if not best.finite or min(t.steps for t in trials) < 150:
        return Evidence("learning", says=f"{best}")
    says = (
        f"not even {how} can be learned by heart: at best the loss comes to {_least(best):.3g}, and "
        f"{constant:.3g} is what a constant answer costs"
    )
    finding = fault(
        "learning",
        "cannot_overfit",
        says,
        fix=(
            "look at what limits the outputs: the last layer's unit, too few hidden units, equal samples with "
            "different labels"
        ),
        experiment="; ".join(map(str, trials)),
        lesson=(
            "A network that can learn at all learns a few samples by heart. If it does not, the "
            "data or the network rules it out, not the optimiser."
        ),
    )
    return Evidence("learning", (finding,))


def _by_heart(subject: Subject, few: Any, how: str, rate: float) -> Trial:
    """Train with a few samples, by Adam at some rate."""
    seconds = min(2.0, subject.clock.left / 5)
    name = f"{how} with Adam at {rate:g}"
    value = data_loss(subject)
    return run(subject, name, Adaptive(subject, rate), batch=few, steps=400, seconds=seconds, value=value)


def _least(trial: Trial) -> float:
    return min((v for v in trial.losses if np.isfinite(v)), default=float("inf"))


def _answered(subject: Subject, trial: Trial, few: Any) -> bool:
    """Return whether the samples are answered rightly, whatever the loss still is, as with smoothed labels."""
    samples, found = samples_of(few), subject.xt(few)
    labels = None if samples is None else class_indices(samples.t)
    if subject.scores_function is None or labels is None or found is None or not trial.finite:
        return False
    scores = subject.scores(trial.params, found[0])
    if scores.ndim != 2 or scores.shape[0] != len(labels) or scores.shape[1] < 2:
        return False
    return float(np.mean(scores.argmax(axis=1) == labels)) >= _RIGHT


def _few(subject: Subject) -> tuple[Any, str, bool]:
    """Return a few samples, of several classes where there are classes, and whether they are many."""
    samples = samples_of(subject.watched)
    if samples is None or len(samples.x) < 2:
        return None, "the batch cannot be divided", False
    labels = class_indices(samples.t)
    order, many = np.arange(min(_FEW, len(samples.x))), False
    if labels is not None and len(np.unique(labels)) > 1:
        many = len(subject.weights) > 1 or samples.rows.shape[1] >= _WIDE
        firsts = sorted(int(np.flatnonzero(labels == c)[0]) for c in np.unique(labels))
        order = np.arange(min(_BATCH, len(samples.x))) if many else np.array(firsts[:_FEW])
    return subset(subject.watched, order), f"{len(order)} samples", many
