"""What is predicted in evaluation, against the loss of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.modes import mismatch
from whygrad.diagnosis.training.report import Evidence, Trial
from whygrad.diagnosis.training.samples import class_indices, samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


def examine_evaluation(subject: Subject, after: Trial, constant: float = float("nan")) -> Evidence:
    """Compare what the network predicts, and its loss in evaluation, with training's, after some steps.

    Args:
        subject: the training.
        after: some of its steps.
        constant: what a constant prediction costs, where it is known: a training may have learned before.
    """
    findings: list[Finding] = []
    found, samples = subject.xt(), samples_of(subject.batch)
    if subject.scores_function is None and subject.evaluate_function is None:
        return Evidence(
            "evaluation", untested=("training against evaluation: neither predict nor evaluate was given",)
        )
    ignorant = max(after.first, constant) if np.isfinite(constant) else after.first
    if not after.finite or after.last > 0.5 * ignorant or samples is None or found is None:
        return Evidence("evaluation", untested=("training against evaluation: the loss did not fall far enough",))
    labels = class_indices(samples.t)
    try:
        if subject.evaluate_function is not None:
            value, trained = subject.evaluated(after.params), subject.loss(after.params)
            if value > 3 * max(trained, 0.05 * ignorant) and value > 0.5 * ignorant:
                findings.append(
                    mismatch(
                        f"after {after.steps} steps the loss of the batch is {trained:.3g} in training and "
                        f"{value:.3g} in evaluation"
                    )
                )
        if labels is not None and subject.scores_function is not None and not findings:
            findings += _accuracy(subject, after, labels, found[0], ignorant)
    except CallFailed as failed:
        return Evidence("evaluation", untested=(f"training against evaluation: {failed}",))
    return Evidence(
        "evaluation", tuple(findings), "what is predicted in evaluation agrees with the loss of training"
    )


def _accuracy(subject: Subject, after: Trial, labels: Array, x: Any, ignorant: float) -> list[Finding]:
    scores = subject.scores(after.params, x)
    if scores.ndim == 2 and scores.shape[0] != len(labels) and scores.shape[1] == len(labels):
        scores = scores.T
    if scores.ndim == 2 and scores.shape[1] > 1:
        answers = scores.argmax(axis=1)
    elif scores.size == len(labels) and np.array_equal(scores, np.round(scores)):
        answers = scores.reshape(-1).astype(int)
    else:
        return []
    right = float(np.mean(answers == labels))
    frequent = float(np.unique(labels, return_counts=True)[1].max()) / len(labels)
    if after.last < 0.25 * ignorant and right < max(0.5, 0.5 + frequent / 2):
        return [
            mismatch(
                f"after {after.steps} steps the loss of the batch is {after.last:.3g}, where a constant "
                f"answer costs {ignorant:.3g}, and only {right:.0%} of the same batch is predicted rightly"
            )
        ]
    return []
