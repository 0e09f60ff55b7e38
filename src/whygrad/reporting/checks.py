"""What a finished training should look like, and whether this one does."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from whygrad.checking.watching import Event, watched
from whygrad.layers import ReLU
from whygrad.ops import softmax
from whygrad.training import Evaluation, Experiment
from whygrad.typing import Array

_SAMPLE = 256  #: images on which units are looked at
_DEAD = 0.2  #: share of dead channels from which on a layer is worth a look
_GAP = 0.05  #: difference of two shares from which on it is worth a look


class Finding(NamedTuple):
    """One check of a training."""

    good: bool
    title: str
    text: str


def training_checks(
    experiment: Experiment,
    params: dict[str, Array],
    records: list[dict[str, Any]],
    summary: dict[str, Any] | None,
    result: Evaluation,
    scores: Array,
) -> list[Finding]:
    """Return what the metrics, the parameters and the test images say about a training.

    Args:
        experiment: what was trained.
        params: the parameters that are judged.
        records: the metrics of its steps.
        summary: what the run reached; None if it is not finished.
        result: how it does on the test images.
        scores: (N, K), what it says of them.
    """
    classes = len(experiment.test.classes)
    found = [
        _start(records, classes),
        _fall(records),
        _chance(result),
        _gap(summary, result),
        _confidence(result, scores),
        _weakest(result, experiment.test.classes),
        *_units(experiment, params),
        _skipped(experiment),
    ]
    return [finding for finding in found if finding is not None]


def _start(records: list[dict[str, Any]], classes: int) -> Finding | None:
    if not records or classes < 2:
        return None
    first, chance = records[0]["loss"], math.log(classes)
    good = 0.5 * chance < first < 2 * chance
    text = (
        f"The first loss was {first:.3f}; blind guesses among {classes} classes give ln {classes} = {chance:.3f}."
    )
    if not good:
        text += " The first weights or the scale of the images are unusual."
    return Finding(good, "the start", text)


def _fall(records: list[dict[str, Any]]) -> Finding | None:
    epochs = [record["epoch_loss"] for record in records if record.get("epoch_loss") is not None]
    if not epochs:
        return None
    finite = all(math.isfinite(record["loss"]) for record in records)
    good = finite and (len(epochs) == 1 or epochs[-1] < epochs[0])
    what = f"The loss of an epoch went from {epochs[0]:.4f} to {epochs[-1]:.4f}" if len(epochs) > 1 else (
        f"The loss of the only epoch was {epochs[0]:.4f}"
    )  # fmt: skip
    return Finding(good, "the loss", f"{what}; {'all' if finite else 'not all'} losses were finite.")


def _chance(result: Evaluation) -> Finding:
    share = float(result.confusion.sum(axis=1).max() / max(result.confusion.sum(), 1))
    good = result.accuracy > share
    text = f"Always the commonest class would be right in {share:.1%}; the network is in {result.accuracy:.2%}."
    return Finding(good, "better than guessing", text)


def _gap(summary: dict[str, Any] | None, result: Evaluation) -> Finding | None:
    train = (summary or {}).get("train_accuracy")
    if not isinstance(train, float):
        return None
    gap = train - result.accuracy
    text = f"Training images {train:.2%}, test images {result.accuracy:.2%}."
    if gap > _GAP:
        text += " It knows its training images better than what they show: more images or augmentation would help."
    return Finding(gap <= _GAP, "memorising", text)


def _confidence(result: Evaluation, scores: Array) -> Finding:
    mean = float(softmax(scores)[0].max(axis=1).mean())
    good = abs(mean - result.accuracy) <= _GAP
    text = f"It gives its answers {mean:.2%} on average, and {result.accuracy:.2%} of them are right."
    return Finding(
        good, "confidence", text if good else f"{text} Its probabilities are not to be taken at their word."
    )


def _weakest(result: Evaluation, classes: tuple[str, ...]) -> Finding | None:
    recall = result.recall
    if np.isnan(recall).all():
        return None
    worst = int(np.nanargmin(recall))
    good = bool(recall[worst] > 0.5 * result.accuracy)
    text = f"{classes[worst]} is recognised least often: {recall[worst]:.2%} of its images."
    return Finding(good, "the weakest class", text)


def _units(experiment: Experiment, params: dict[str, Array]) -> list[Finding]:
    """Return, for layers of ReLU with channels that never open, how many there are."""
    silent: dict[str, tuple[int, int]] = {}

    def look(event: Event) -> None:
        if event.going == "forward" and isinstance(event.layer, ReLU):
            y = event.value
            axes = (0, *range(2, y.ndim))
            dead = int((y.max(axis=axes) <= 0).sum())
            silent[event.name] = dead, y.shape[1]

    images = experiment.test.images[: min(_SAMPLE, len(experiment.test.labels))]
    watched(experiment.model, look)(params, images)
    if not silent:
        return []
    bad = {name: pair for name, pair in silent.items() if pair[0] > _DEAD * pair[1]}
    dead, total = (sum(pair[i] for pair in silent.values()) for i in (0, 1))
    text = f"{dead} of {total} channels behind a ReLU stayed at 0 for all of {len(images)} test images."
    if bad:
        text += " Most in " + ", ".join(f"{name} ({d} of {t})" for name, (d, t) in bad.items()) + "."
    return [Finding(not bad, "dead units", text)]


def _skipped(experiment: Experiment) -> Finding | None:
    skipped = experiment.facts.skipped
    if not skipped:
        return None
    some = ", ".join(list(skipped)[:5]) + (", …" if len(skipped) > 5 else "")
    return Finding(False, "pictures left out", f"{len(skipped)} could not be read: {some}.")
