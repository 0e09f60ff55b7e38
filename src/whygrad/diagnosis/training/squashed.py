"""Whether a loss that takes logits is fed with what a softmax or a sigmoid has squashed before."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import pair, rebuilt
from whygrad.diagnosis.training.penalty import data_loss
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Last layers that are drawn, how many where none of them is answered rightly, and samples that each is tried on.
_DRAWS, _MORE, _SAMPLES = 4, 16, 6
#: The labels that samples are given in turn, at most, until one is the network's own answer.
_LABELS = 100
_TWICE = (
    "A loss that takes logits applies the softmax itself. Of probabilities it makes another, flatter "
    "softmax: with 10 classes the surest right answer still costs 1.46, and gradients are small."
)


def squashed(subject: Subject, count: int | None, labels: Array) -> Finding | None:
    """Return the finding where single samples cost just what a softmax of a softmax costs, or a sigmoid's logits.

    With a huge last layer a softmax gives 1 for one class and 0 for the others, and a second one on top of that can
    cost log(e + K − 1) − 1 or log(e + K − 1), and nothing else.

    Args:
        subject: the training.
        count: how many numbers the network predicts for a sample, where that is known.
        labels: class indices of the batch.
    """
    if min(subject.count or 0, _SAMPLES) < 2 or not subject.weights:
        return None
    try:
        values = list(_sharp_losses(subject))
        if not np.isfinite(values).all() or np.ptp(values) > 1e3:
            return None
        for k in _sizes(subject, count, int(labels.max()) + 1):
            found = _of_classes(subject, k, values, labels)
            if found is not None:
                return found
    except CallFailed:
        return None
    ones = (math.log1p(math.exp(-1.0)), math.log1p(math.e), math.log(2))
    if _among(values, ones, 2e-3) and np.ptp(values) > 0.1:
        return _fed_with_probabilities("probabilities_for_logits", 1, values)
    return None


def _sizes(subject: Subject, count: int | None, seen: int) -> list[int]:
    """Return how many classes there may be, the likeliest first."""
    known = [count] if count else []
    last = subject.params[subject.weights[-1]].shape
    return known + [k for k in dict.fromkeys((*last, seen)) if k >= 2 and k not in known]


def _of_classes(subject: Subject, k: int, values: list[float], labels: Array) -> Finding | None:
    """Return the finding where the costs are those of probabilities of k classes in place of logits."""
    surest = math.log(math.e + k - 1)
    if _among(values, (surest - 1, surest)):
        more = values if np.ptp(values) > 0.5 else [*values, *_other_labels(subject, labels, values[0])]
        if _among(more, (surest - 1, surest)) and np.ptp(more) > 0.5:
            return _fed_with_probabilities("softmax_applied_twice", k, more)
    flat = [math.log(m * math.e + k - m) - s for m in range(k + 1) for s in (0, 1)]
    if _among(values, flat) and np.ptp(values) > 0.5:
        return _fed_with_probabilities("probabilities_for_logits", k, values)
    return None


def _among(values: list[float], allowed: tuple[float, ...] | list[float], tolerance: float = 2e-4) -> bool:
    return all(min(abs(v - a) for a in allowed) < tolerance for v in values)


def _sharp_losses(subject: Subject) -> Iterator[float]:
    """Yield what single samples cost with last layers that are drawn anew and very large."""
    cost = data_loss(subject)
    for params in _sharpened(subject, _DRAWS):
        for i in range(min(subject.count or 0, _SAMPLES)):
            yield cost(params, subject.part(np.array([i])))


def _other_labels(subject: Subject, labels: Array, usual: float) -> Iterator[float]:
    """Yield what samples cost with each label of the batch, until one costs something else than usual.

    Of K classes a network answers one: with few samples no label may be the one that it answers.
    """
    firsts = [int(np.flatnonzero(labels == c)[0]) for c in np.unique(labels)[:_LABELS]]
    cost = data_loss(subject)
    tries = itertools.product(_sharpened(subject, _MORE), range(min(subject.count or 0, _SAMPLES)), firsts)
    for params, i, j in tries:
        x, t = (pair(subject.part(np.array([k]))) for k in (i, j))
        if x is None or t is None:
            return
        value = cost(params, rebuilt(subject.batch, x[0], t[1]))
        yield value
        if abs(value - usual) > 0.5:
            return


def _sharpened(subject: Subject, draws: int) -> Iterator[dict[str, Array]]:
    """Yield parameters with the last weight drawn anew, and very large."""
    rng, name = np.random.default_rng(0), subject.weights[-1]
    w = subject.params[name]
    for _ in range(draws):
        yield {**subject.params, name: (1e4 * rng.normal(size=w.shape)).astype(w.dtype)}


def _fed_with_probabilities(label: str, k: int, values: list[float]) -> Finding:
    shown = ", ".join(f"{v:.4f}" for v in sorted({round(v, 4) for v in values}))
    if label == "softmax_applied_twice":
        says = (
            "the loss applies a softmax to what is already one: with a last layer of the size 10⁴ each "
            f"sample costs {shown}, as the softmax of a softmax over {k} classes does; of logits it would "
            "cost 0 or thousands"
        )
    else:
        says = (
            "the loss wants logits and gets what a sigmoid gave: with a last layer of the size 10⁴ each "
            f"sample costs {shown}, as logits of 0 and 1 do; of real ones it would cost 0 or thousands"
        )
    other = {
        "softmax_applied_twice": "probabilities_for_logits",
        "probabilities_for_logits": "softmax_applied_twice",
    }[label]
    return fault(
        "loss",
        label,
        says,
        fix="leave out the last layer's softmax or sigmoid, or take the logarithm of its probabilities",
        also=other,
        lesson=_TWICE,
    )
