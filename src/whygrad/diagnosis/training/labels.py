"""The form of labels: class indices or one-hot rows, counted from 0, as many classes as the network has outputs."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import one_hot, pair, rebuilt
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.samples import Samples, class_indices, samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


def outputs(subject: Subject) -> tuple[int | None, str]:
    """Return how many numbers the network predicts for a sample, and how that is known."""
    if subject.classes is not None:
        return subject.classes, "as given"
    found = samples_of(subject.batch)
    pair_ = subject.xt()
    if subject.scores_function is not None and found is not None and pair_ is not None:
        try:
            scores = subject.scores(subject.params, pair_[0])
        except CallFailed:
            scores = np.zeros(0)
        if scores.ndim == 2:
            return scores.shape[1 if len(scores) == len(found.x) else 0], "from its predictions"
    if len(subject.weights) and subject.names:
        last = subject.params[subject.names[-1]]
        weight = subject.params[subject.weights[-1]]
        axes = set(weight.shape)
        if subject.names[-1] != subject.weights[-1] and last.size in axes and last.size > 1:
            return int(last.size), f"from the shape of {subject.names[-1]}"
    return None, ""


def labels_of(subject: Subject, samples: Samples) -> list[Finding]:
    """Return what is wrong with the form and range of labels."""
    indices, own = class_indices(samples.t), samples_of(subject.batch)
    if indices is None or own is None or samples.t.ndim > 2:
        return []
    raised = _fails(subject, None)
    if samples.t.ndim == 2 and samples.t.shape[-1] > 1:
        found = _for_indices(subject, samples.t, class_indices(own.t), raised)
    else:
        found = _range(subject, indices, raised) or _for_rows(subject, samples.t, class_indices(own.t), raised)
    return [found] if found is not None else []


def _for_indices(subject: Subject, t: Array, labels: Array | None, raised: str | None) -> Finding | None:
    """Return that one-hot rows are given where indices are meant: with those the loss can be computed."""
    if raised is None or labels is None or _fails(subject, labels):
        return None
    says = f"the labels are one-hot, of shape {t.shape}, and the code wants class indices: {raised}"
    shown = "with t.argmax(axis=1) the loss can be computed"
    return fault("labels", "labels_one_hot", says, fix="t = t.argmax(axis=1)", experiment=shown)


def _for_rows(subject: Subject, t: Array, labels: Array | None, raised: str | None) -> Finding | None:
    """Return that indices are given where one-hot rows are meant."""
    count = outputs(subject)[0]
    if raised is None or labels is None or not count or labels.min() < 0 or labels.max() >= count:
        return None
    found = pair(subject.batch)
    if found is None or _fails(subject, one_hot(np.asarray(found[0]), np.asarray(found[1]), labels, count)):
        return None
    says = f"the labels are class indices, of shape {t.shape}, and the code wants one-hot rows: {raised}"
    shown = f"with np.eye({count})[t] the loss can be computed"
    return fault("labels", "labels_one_hot", says, fix=f"t = np.eye({count})[t]", experiment=shown)


def _range(subject: Subject, labels: Array, raised: str | None) -> Finding | None:
    """Return that labels lie outside the classes."""
    count, how = outputs(subject)
    low, high = int(labels.min()), int(labels.max())
    own = samples_of(subject.batch)
    small = None if own is None else class_indices(own.t)
    if count and count > 1 and (low < 0 or high >= count):
        lowered = (
            raised is not None and small is not None and not _fails(subject, np.clip(small - low, 0, count - 1))
        )
        shown = "with them lowered the loss can be computed" if lowered else ""
        return _out_of_range(low, high, f"the network has {count} outputs, {how}", count, shown)
    known = raised is not None and small is not None and (low != 0 or "out of bounds" in raised)
    if known and small is not None and not _fails(subject, np.clip(small - low, 0, None)):
        shown = "with them lowered the loss can be computed"
        return _out_of_range(low, high, f"the code fails with them: {raised}", count, shown)
    if count == 1 and labels.size and high > 1 and high - low == 1:
        return _out_of_range(low, high, "the network has one output", 2, "")
    return None


def _out_of_range(low: int, high: int, why: str, count: int | None, experiment: str) -> Finding:
    last = count - 1 if count else high - low
    fix = (
        f"t = t - {low}"
        if high - low <= last and low
        else "look for labels that stand for nothing, such as -1 or 255"
    )
    return fault(
        "labels",
        "labels_out_of_range",
        f"the labels go from {low} to {high}, and classes are counted from 0 to {last}: {why}",
        fix=fix,
        experiment=experiment,
        lesson=(
            "NumPy takes index -1 for the last class and says nothing, and a one-hot row of a class that "
            "is not there is all zeros."
        ),
    )


def _fails(subject: Subject, labels: Array | None) -> str | None:
    """Return what the loss raises with other labels, or with the batch as it is."""
    batch = subject.batch
    if labels is not None:
        found = pair(batch)
        if found is None:
            return "the batch is no pair"
        batch = rebuilt(batch, found[0], labels)
    try:
        subject.loss(subject.params, batch)
        if subject.gradients_function is not None and labels is None:
            subject.gradients(subject.params, batch)
    except CallFailed as failed:
        return failed.what
    return None
