"""What a report shows, gathered from a run and its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from whygrad.checking import JITTER, Report, check_model
from whygrad.data import Normalised
from whygrad.layers import Conv2d
from whygrad.ops import softmax
from whygrad.reporting.checks import Finding, training_checks
from whygrad.training import Evaluation, Experiment, Run, predict, read_metrics
from whygrad.training.evaluate import scored
from whygrad.typing import Array

_MISTAKES = 30
_CHECKED = 4  #: images that gradients are checked on


class Mistake(NamedTuple):
    """A test image that was taken for another class."""

    image: Array  #: (C, H, W), from 0 to 1
    number: int  #: of the test image
    right: str
    guess: str
    confidence: float  #: probability of the guess
    chance: float  #: probability of the right class


@dataclass(frozen=True)
class Gathered:
    """All that a report shows."""

    run: Run
    experiment: Experiment
    records: list[dict[str, Any]]
    summary: dict[str, Any] | None
    result: Evaluation
    mistakes: list[Mistake]
    filters: tuple[str, Array] | None  #: name and weights (F, C, R, S) of the first convolution
    gradients: Report | None
    findings: list[Finding]


def gather(run: Run, experiment: Experiment, *, check: bool = True) -> Gathered:
    """Measure a run on its test images and check it.

    Args:
        run: the run.
        experiment: what its recipe stands for.
        check: compare its gradients with finite differences.

    Raises:
        FileError: a run that has not begun, or is damaged.
    """
    params = run.parameters(experiment)
    test = experiment.test
    with np.errstate(over="ignore", invalid="ignore"):
        scores = predict(experiment.model, params, test.images)
        result = scored(experiment.loss(scores, test.labels)[0], scores, test.labels)
    records = read_metrics(run.path / "metrics.jsonl")
    summary = run.summary
    return Gathered(
        run,
        experiment,
        records,
        summary,
        result,
        _mistakes(experiment, scores),
        _filters(experiment, params),
        _gradients(run, experiment, params) if check else None,
        training_checks(experiment, params, records, summary, result, scores),
    )


def _mistakes(experiment: Experiment, scores: Array) -> list[Mistake]:
    """Return the images whose right class was thought least probable, the worst first."""
    data = experiment.test
    chances = softmax(scores)[0]
    own = chances[np.arange(len(scores)), data.labels]
    wrong = np.flatnonzero(scores.argmax(axis=1) != data.labels)
    worst = wrong[np.argsort(own[wrong], kind="stable")[:_MISTAKES]]
    images = data.images.images if isinstance(data.images, Normalised) else data.images
    return [
        Mistake(
            np.clip(images[int(i) : int(i) + 1][0], 0, 1),
            int(i),
            data.classes[data.labels[i]],
            data.classes[int(scores[i].argmax())],
            float(chances[i].max()),
            float(own[i]),
        )
        for i in worst
    ]


def _filters(experiment: Experiment, params: dict[str, Array]) -> tuple[str, Array] | None:
    for name, layer in experiment.model.layers.items():
        if isinstance(layer, Conv2d):
            return f"{name}.weight", params[f"{name}.weight"]
    return None


def _gradients(run: Run, experiment: Experiment, params: dict[str, Array]) -> Report:
    """Check the gradients where training ended, a little beside it so that few units lie on a kink."""
    data = experiment.train
    images, labels = data.images[:_CHECKED], data.labels[:_CHECKED]
    return check_model(
        experiment.model, params, images, labels, loss=experiment.loss, seed=run.recipe.seed, jitter=JITTER
    )
