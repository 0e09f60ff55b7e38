"""The suspicions that samples are of an unusual size, or labels of another form than the code wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from whygrad.diagnosis.training.batches import one_hot, pair, rebuilt, sample_axes
from whygrad.diagnosis.training.data import normalisation, unusual_size
from whygrad.diagnosis.training.labels import outputs
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.samples import all_samples, class_indices, samples_of
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run


def suspect_inputs(subject: Subject) -> Iterator[Suspicion]:
    """Yield that the samples are of an unusual size."""
    samples = all_samples(subject)
    if samples is None:
        return
    says = unusual_size(samples.x)
    if says is None:
        return
    x = samples.x
    scale, how = normalisation(x)

    def through(batch: Any) -> Any:
        found = pair(batch)
        assert found is not None
        given = np.asarray(found[0])
        axes = sample_axes(given, np.asarray(found[1]))
        first = axes[0] if axes else 0
        scaled = np.moveaxis(scale(np.moveaxis(given, first, 0)), 0, first)
        return rebuilt(batch, scaled.astype(given.dtype if given.dtype.kind == "f" else np.float64), found[1])

    kind = f" as {x.dtype}" if x.dtype.kind in "iu" else ""
    finding = fault(
        "samples",
        "input_not_normalised",
        f"the samples are of an unusual size{kind}: {says}",
        lesson=(
            "The gradient of the first weights is multiplied by the samples: samples 100 times as large "
            "want a rate 10,000 times as small there."
        ),
    )
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(subject, f"with {how}", subject.stepper(), through=through),
                f"x = {how}, for training and for what is predicted later",
            )
        ],
    )


def suspect_labels(subject: Subject) -> Iterator[Suspicion]:
    """Yield that class numbers are compared with every output, where one-hot rows belong."""
    found, samples, count = subject.xt(), samples_of(subject.batch), outputs(subject)[0]
    if found is None or samples is None or not count or count < 3:
        return
    labels = class_indices(samples.t)
    if (
        labels is None
        or (samples.t.ndim > 1 and samples.t.shape[-1] > 1)
        or labels.min() < 0
        or labels.max() >= count
    ):
        return

    def through(batch: Any) -> Any:
        given = samples_of(batch)
        numbers = class_indices(given.t) if given is not None else None
        assert numbers is not None
        x, t = (np.asarray(part) for part in pair(batch) or (0, 0))
        return rebuilt(batch, x, one_hot(x, t, numbers, count))

    try:
        value, other = subject.loss(), subject.loss(subject.params, through(subject.batch))
        if not np.isfinite(other) or abs(value - other) <= 1e-5 * abs(value):  # it takes the one as the other
            return
    except (CallFailed, AssertionError):
        return
    says = f"the labels are class numbers up to {labels.max()}, and the code compares them with {count} outputs"
    finding = fault(
        "labels",
        "labels_one_hot",
        says,
        lesson="Numbers of classes are no amounts: outputs that come near to 7 say nothing about a seven.",
    )
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(subject, f"with np.eye({count})[t]", subject.stepper(), through=through),
                f"t = np.eye({count})[t]: that was run and learns",
            )
        ],
        other_loss=True,
    )
