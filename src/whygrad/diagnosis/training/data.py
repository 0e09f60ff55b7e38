"""What can be wrong with samples and labels by themselves, before any network sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.subject import CallFailed, Subject, joined, pair, rebuilt, sample_axes
from whygrad.typing import Array

#: A root mean square beyond which, and a share of it below which, inputs are of an unusual size.
_LARGE, _SMALL = 8.0, 0.02
#: By how much features may differ in size.
_SPREAD = 300.0
#: How many labels must agree before it is no accident.
_FEW = 8


class Samples(NamedTuple):
    """Samples and labels, with the samples first."""

    x: Array
    t: Array

    @property
    def rows(self) -> Array:
        """The samples as rows of numbers."""
        return self.x.reshape(len(self.x), -1)


def samples_of(batch: Any) -> Samples | None:
    """Return samples and labels of a batch with the samples along the first axis; None where it is no such pair."""
    found = pair(batch)
    if found is None:
        return None
    x, t = np.asarray(found[0]), np.asarray(found[1])
    axes = sample_axes(x, t)
    if axes is None or x.dtype.kind not in "fiub" or t.dtype.kind not in "fiub":
        return None
    return Samples(np.moveaxis(x, axes[0], 0), np.moveaxis(t, axes[1], 0))


def all_samples(subject: Subject, most: int = 4000) -> Samples | None:
    """Return the samples of all that is known: the data, or the batches, or the batch."""
    if subject.data is not None:
        found = samples_of(subject.data)
        if found is not None:
            return found
    if subject.batches is not None and len(subject.batches) > 1:
        found = samples_of(joined(subject.batches[: max(1, most // max(subject.count or 1, 1))]))
        if found is not None:
            return found
    return samples_of(subject.batch)


def class_indices(t: Array) -> Array | None:
    """Return class indices of labels that are indices or one-hot; None where they are neither.

    Example:
        >>> class_indices(np.eye(3)[[2, 0]]), class_indices(np.array([0.5, 1.2]))
        (array([2, 0]), None)
    """
    flat = t.reshape(len(t), -1) if t.ndim else t
    if flat.ndim == 2 and flat.shape[1] > 1:
        ones = np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all()
        return flat.argmax(axis=1) if ones else None
    values = flat.reshape(-1)
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    whole = np.isfinite(values).all() and np.array_equal(values, np.round(values))
    few = len(np.unique(values)) <= max(2, min(100, len(values) // 2))
    return values.astype(np.int64) if whole and few else None


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
    findings += _labels(subject)
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


def _labels(subject: Subject) -> list[Finding]:
    """Return what is wrong with the form and range of labels."""
    whole = all_samples(subject)
    if whole is None:
        return []
    t = whole.t
    indices = class_indices(t)
    raised = _fails(subject, None)
    count, how = outputs(subject)
    one_hot = t.ndim >= 2 and t.shape[-1] > 1 and indices is not None
    if one_hot and raised and indices is not None:
        other = class_indices(samples_of(subject.batch).t) if samples_of(subject.batch) is not None else None  # type: ignore[union-attr]
        if other is not None and not _fails(subject, other):
            says = f"the labels are one-hot, of shape {t.shape}, and the code wants class indices: {raised}"
            return [
                fault(
                    "labels",
                    "labels_one_hot",
                    says,
                    fix="t = t.argmax(axis=1)",
                    experiment="with t.argmax(axis=1) the loss can be computed",
                )
            ]
    if one_hot or indices is None or t.ndim > 2 or (t.ndim == 2 and t.shape[-1] > 1):
        return []
    own = samples_of(subject.batch)
    assert own is not None
    small = class_indices(own.t)
    low, high = int(indices.min()), int(indices.max())
    if raised and small is not None:
        if count and not _fails(subject, np.eye(count)[np.clip(small, 0, count - 1)]):
            says = f"the labels are class indices, of shape {t.shape}, and the code wants one-hot rows: {raised}"
            return [
                fault(
                    "labels",
                    "labels_one_hot",
                    says,
                    fix=f"t = np.eye({count})[t]",
                    experiment=f"with np.eye({count})[t] the loss can be computed",
                )
            ]
        if (low != 0 or "out of bounds" in raised) and not _fails(subject, np.clip(small - low, 0, None)):
            return [
                _out_of_range(
                    low,
                    high,
                    f"the code fails with them: {raised}",
                    count,
                    "with them lowered the loss can be computed",
                )
            ]
    if count and count > 1 and t.dtype.kind in "iuf" and (low < 0 or high >= count):
        return [_out_of_range(low, high, f"the network has {count} outputs, {how}", count, "")]
    if count == 1 and t.dtype.kind in "iu" and high > 1 and high - low == 1:
        return [_out_of_range(low, high, "the network has one output", 2, "")]
    return []


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
