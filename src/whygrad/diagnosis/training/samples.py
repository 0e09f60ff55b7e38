"""Samples and labels of a batch as arrays with the samples first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.training.batches import joined, pair, sample_axes
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


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
    """Return samples of all that is known, so many at most: of the data, or the batches, or the batch."""
    if subject.data is not None:
        found = samples_of(subject.data)
        if found is not None and len(found.x) > most:
            chosen = np.sort(np.random.default_rng(0).permutation(len(found.x))[:most])
            return Samples(found.x[chosen], found.t[chosen])
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
