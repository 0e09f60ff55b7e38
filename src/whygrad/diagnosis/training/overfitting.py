"""Whether a few samples can be learned by heart."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.diagnosis.training.adaptive import Adaptive
from whygrad.diagnosis.training.report import Evidence, Trial, fault
from whygrad.diagnosis.training.samples import class_indices, samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import constant_loss, run

#: Samples that every model, and that every network with a hidden layer, should be able to learn by heart.
_FEW, _BATCH = 4, 32


def examine_overfitting(subject: Subject) -> Evidence:
    """Say whether a few samples can be learned by heart, by gradient descent and Adam at several rates."""
    few, how = _few(subject)
    if few is None or subject.gradients_function is None:
        return Evidence("learning", untested=(f"whether a few samples can be learned by heart: {how}",))
    try:
        constant = constant_loss(subject, few)
        trials = [_by_heart(subject, few, how, rate) for rate in (0.01, 0.001, 0.1)]
    except CallFailed as failed:
        return Evidence("learning", untested=(f"whether a few samples can be learned by heart: {failed}",))
    best = min(trials, key=lambda t: min(t.losses) if t.finite else np.inf)
    if not best.finite or min(best.losses) < 0.7 * constant or best.steps < 150:
        return Evidence("learning", says=f"{best}")
    says = (
        f"not even {how} can be learned by heart: at best the loss comes to {min(best.losses):.3g}, and "
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
    return run(subject, name, Adaptive(subject, rate), batch=few, steps=400, seconds=seconds)


def _few(subject: Subject) -> tuple[Any, str]:
    """Return a few samples of the batch, of several classes where there are classes."""
    samples = samples_of(subject.batch)
    if samples is None or len(samples.x) < 2:
        return None, "the batch cannot be divided"
    labels = class_indices(samples.t)
    order = np.arange(min(_FEW, len(samples.x)))
    if labels is not None and len(np.unique(labels)) > 1:
        hidden = len(subject.weights) > 1
        firsts = sorted(int(np.flatnonzero(labels == c)[0]) for c in np.unique(labels))
        order = np.arange(min(_BATCH, len(samples.x))) if hidden else np.array(firsts[:_FEW])
    return subject.part(order), f"{len(order)} samples"
