"""Whether the loss sees labels and samples at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import rebuilt, sample_axes
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


def blind_loss(subject: Subject, labels: Array) -> Finding | None:
    """Return that the loss is the same whichever label belongs to which sample."""
    found = subject.xt()
    if found is None or len(labels) < 4 or len(np.unique(labels)) < 2:
        return None
    if sample_axes(np.asarray(found[0]), np.asarray(found[1])) is None:
        return None
    rng = np.random.default_rng(0)
    kinds = {n: subject.params[n].dtype for n in subject.names}
    drawn = {**subject.params, **{n: rng.normal(size=subject.params[n].shape).astype(k) for n, k in kinds.items()}}
    value = float("nan")
    try:
        for params in (drawn, subject.params):
            same = _same_for_shuffled(subject, params, found, rng)
            if same is None:
                return None
            value = same
    except CallFailed:
        return None
    if _ignores_samples(subject, drawn):
        return _without_samples(f"{value:.6g}", whole=np.asarray(found[0]).dtype.kind in "iu")
    says = (
        f"the loss is {value:.6g} whichever label belongs to which sample: labels shuffled within the batch "
        "change no digit of it"
    )
    return fault(
        "loss",
        "loss_formula_wrong",
        says,
        fix="take of each sample the probability of its own label: p[np.arange(n), t], not p[:, t]",
        lesson=(
            "A loss compares every sample with its own label. One that does not change when labels change "
            "places teaches nothing about them."
        ),
    )


def _same_for_shuffled(
    subject: Subject, params: dict[str, Array], found: tuple[Any, Any], rng: np.random.Generator
) -> float | None:
    """Return the loss, if it is the same for labels in other orders; else None."""
    x, t = found[0], np.asarray(found[1])
    axes = sample_axes(np.asarray(x), t)
    assert axes is not None
    value = subject.loss(params)
    count = t.shape[axes[1]]
    shuffled = [np.take(t, rng.permutation(count), axes[1]) for _ in range(4)]
    others = [subject.loss(params, rebuilt(subject.batch, x, other)) for other in shuffled]
    if not np.isfinite([value, *others]).all():
        return None
    return value if max(abs(v - value) for v in others) <= 1e-9 * max(abs(value), 1e-300) else None


def _without_samples(value: str, *, whole: bool) -> Finding:
    """Return that the loss is the same for other samples, whole numbers or not."""
    labels = ["integer_truncation", "constant_features"]
    label, other = labels if whole else reversed(labels)
    return fault(
        "loss",
        label,
        f"the loss is {value} for other samples as well: nothing of them reaches the network",
        also=other,
        fix="look at what is done to the samples first: an integer division or a cast may make them all 0",
    )


def _ignores_samples(subject: Subject, params: dict[str, Array]) -> bool:
    """Return whether the loss is the same for the samples in another order and with other numbers."""
    found = subject.xt()
    assert found is not None
    x = np.asarray(found[0])
    other = x[..., ::-1].copy() if x.ndim > 1 else x
    try:
        values = [
            subject.loss(params, rebuilt(subject.batch, a, found[1]))
            for a in (x, other, x // 2 if x.dtype.kind in "iu" else x * 0.7)
        ]
    except CallFailed:
        return False
    return bool(np.ptp(values) <= 1e-12 * max(abs(values[0]), 1e-300))
