"""What can be wrong with samples and labels by themselves, before any network sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import pair, sample_axes
from whygrad.diagnosis.training.labels import labels_of
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.samples import Samples, all_samples, class_indices, samples_of
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: A root mean square beyond which, and a share of it below which, inputs are of an unusual size.
_LARGE, _SMALL = 8.0, 0.02
#: By how much features may differ in size.
_SPREAD = 300.0
#: How many labels must agree before it is no accident.
_FEW = 8


def examine_data(subject: Subject) -> Evidence:
    """Look at samples and labels: finite, paired, varied, of usual size, within the classes, in no order."""
    untested = []
    if pair(subject.batch) is None and subject.data is None:
        return Evidence("data", untested=("samples and labels: the batch is no pair (x, t)",))
    findings = [f for batch in _distinct(subject) for f in (_not_finite(batch), _lengths(batch)) if f is not None][
        :2
    ]
    if findings:
        return Evidence("data", tuple(findings))
    samples = all_samples(subject)
    if samples is None:
        return Evidence("data", untested=("samples and labels: they are no arrays of numbers",))
    findings += [f for f in (_constant(samples), _one_class(subject, samples)) if f is not None]
    findings += labels_of(subject, samples_of(subject.data) or samples)
    order = _order(subject)
    if order is not None:
        findings.append(order)
    if subject.data is None and subject.batches is None:
        untested.append("the order of the samples: pass data=(x, t) in the order of training, or batches=[...]")
    n, sizes = len(samples.x), f"{float(samples.x.min()):.3g} to {float(samples.x.max()):.3g}"
    return Evidence(
        "data", tuple(findings), f"{n} samples from {sizes}, finite, and labels that fit them", tuple(untested)
    )


def _distinct(subject: Subject) -> list[Any]:
    return [subject.batch, *([subject.data] if subject.data is not None else []), *(subject.batches or [])]


def _not_finite(batch: Any) -> Finding | None:
    found = pair(batch)
    for name, part in zip(("samples", "labels"), found or (), strict=False):
        array = np.asarray(part)
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        where = np.argwhere(~np.isfinite(array))
        at = [int(i) for i in where[0]]
        says = f"the {name} are not finite: {array[tuple(at)]} at {at}, {len(where)} of {array.size:,} entries"
        bad = sorted({int(i) for i in where[:, 0]})
        fix = f"look at sample {bad[0]}: leave out or fill in what is missing" + (
            f" ({len(bad)} samples have such entries)" if len(bad) > 1 else ""
        )
        return fault(
            name,
            "data_not_finite",
            says,
            fix=fix,
            first=at,
            entries=len(where),
            lesson=(
                "One NaN in a batch makes its loss NaN, and then every parameter: nothing comes back from there."
            ),
        )
    return None


def _lengths(batch: Any) -> Finding | None:
    found = pair(batch)
    if found is None:
        return None
    x, t = (np.asarray(part) for part in found)
    if sample_axes(x, t) is not None or not x.ndim:
        return None
    if not t.ndim:
        return None
    says = f"there are {len(x)} samples and {len(t)} labels: shapes {x.shape} and {t.shape}"
    return fault(
        "data",
        "lengths_mismatched",
        says,
        fix="pair every sample with its label, from the same rows of the same file",
        lesson="What broadcasting makes of arrays of unlike lengths is never what was meant.",
    )


def _constant(samples: Samples) -> Finding | None:
    rows = samples.rows
    if len(rows) < 2 or not rows.shape[1]:
        return None
    varies = np.ptp(rows.astype(np.float64), axis=0) > 0
    if varies.sum() > 0.02 * len(varies) and varies.sum() >= min(2, len(varies)):
        return None
    if varies.any() and len(varies) < 50:
        return None
    share = f"none of {len(varies)}" if not varies.any() else f"only {int(varies.sum())} of {len(varies)}"
    says = f"{share} features differs from sample to sample: the samples are all the same"
    return fault(
        "samples",
        "constant_features",
        says,
        fix="look at how the samples are read, and whether an integer division or a cast made them equal",
        also="integer_truncation" if samples.x.dtype.kind in "iu" else "",
        lesson="Where all samples are equal nothing can be told about their labels but how frequent each is.",
    )


def _one_class(subject: Subject, samples: Samples) -> Finding | None:
    labels = class_indices(samples.t)
    if labels is None or len(labels) < _FEW or len(np.unique(labels)) > 1:
        return None
    wide = samples.t.ndim > 1 and samples.t.shape[-1] > 1
    if samples.t.dtype.kind == "f" and not wide and subject.classes is None:
        return None
    says = f"all {len(labels)} labels are {labels[0]}"
    return fault(
        "labels",
        "one_class_only",
        says,
        fix="draw samples of every class: shuffle the data before cutting it into batches",
        lesson="From one class a network learns to answer it whatever it is shown.",
    )


def unusual_size(x: Array) -> str | None:
    """Return what is unusual about the size of samples; None where nothing is.

    Example:
        >>> unusual_size(np.linspace(0, 255, 64).reshape(4, 16))
        'they go from 0 to 255, 148 in root mean square'
    """
    rows = x.reshape(len(x), -1).astype(np.float64)
    size = float(np.sqrt(np.mean(rows**2)))
    span = f"they go from {rows.min():.3g} to {rows.max():.3g}, {size:.3g} in root mean square"
    spread = rows.std(axis=0)
    if size > _LARGE or (0 < size < _SMALL and rows.std() < _SMALL):
        return span
    middle = float(rows.std())
    if abs(float(rows.mean())) > 8 * middle > 0:
        return f"{span}, all of them near {float(rows.mean()):.3g}"
    known = spread[spread > 0]
    if rows.shape[1] <= 200 and len(known) > 1 and known.max() > _SPREAD * np.median(known):
        return f"the deviations of features go from {known.min():.3g} to {known.max():.3g}"
    return None


def normalisation(x: Array) -> tuple[Callable[[Array], Array], str]:
    """Return what brings samples to a usual size, and how it is written."""
    if float(x.min()) >= 0 and 100 < float(x.max()) <= 255.0:
        return lambda a: a.astype(np.float64) / 255, "x / 255"
    real = x.astype(np.float64)
    if x.ndim > 2 or x.shape[1] > 200 or float(np.ptp(real.std(axis=0))) <= 10 * float(real.std()):
        mean, spread = float(real.mean()), max(float(real.std()), 1e-300)
        return lambda a: (a - mean) / spread, "(x - x.mean()) / x.std()"
    means, spreads = real.mean(axis=0), real.std(axis=0)
    return lambda a: (a - means) / np.where(spreads > 0, spreads, 1), "(x - x.mean(0)) / x.std(0)"


def _order(subject: Subject) -> Finding | None:
    """Return that samples come sorted by class, where the order of training is known."""
    if subject.reference is not None:
        return None  # the project's own training draws a new order for each epoch
    if subject.batches is not None:
        parts = [samples_of(b) for b in subject.batches]
        labels = [class_indices(p.t) for p in parts if p is not None]
    else:
        whole, batch = samples_of(subject.data) if subject.data is not None else None, samples_of(subject.batch)
        if whole is None or batch is None:
            return None
        n = len(batch.x)
        if len(whole.x) < 2 * n or not np.array_equal(whole.x[:n], batch.x):
            return None
        every = class_indices(whole.t)
        labels = [] if every is None else [every[i : i + n] for i in range(0, len(every) - n + 1, n)]
    known = [a for a in labels if a is not None and len(a) > 1]
    return _sorted(known)


def _sorted(known: Sequence[Array]) -> Finding | None:
    if len(known) < 2:
        return None
    every = np.concatenate(known)
    classes, counts = np.unique(every, return_counts=True)
    if len(classes) < 2:
        return None
    shares = counts / len(every)
    seen = float(np.mean([len(np.unique(a)) for a in known]))
    expected = float(np.mean([np.sum(1 - (1 - shares) ** len(a)) for a in known]))
    changes, chance = float(np.mean(np.diff(every) != 0)), 1 - float((shares**2).sum())
    if seen > 0.6 * expected or changes > 0.5 * chance:
        return None
    says = (
        f"the samples come sorted: a batch has {seen:.1f} classes on average, and in a random order it would "
        f"have {expected:.1f}"
    )
    return fault(
        "order",
        "order_not_shuffled",
        says,
        fix="order = rng.permutation(len(x)) in every epoch, and batches from x[order], t[order]",
        lesson=(
            "Batches of one class each pull the network from one answer to the next; their gradients are "
            "no samples of the whole."
        ),
    )
