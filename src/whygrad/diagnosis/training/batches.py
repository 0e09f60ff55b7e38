"""Batches as pairs of samples and labels, whatever form they have: parts of them, several joined, other floats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whygrad.typing import Array

#: What a dictionary may call samples and labels.
_SAMPLES = ("x", "images", "inputs", "input", "image", "features", "data", "samples")
_LABELS = ("t", "y", "labels", "targets", "target", "label", "classes")


def pair(batch: Any) -> tuple[Any, Any] | None:
    """Return (samples, labels) of a batch: a pair, or a dictionary with names for them.

    Example:
        >>> pair({"images": np.ones((2, 3)), "labels": np.array([0, 1])})[1]
        array([0, 1])
    """
    if isinstance(batch, tuple | list) and len(batch) == 2:
        x, t = batch
        if isinstance(x, np.ndarray | list) and isinstance(t, np.ndarray | list | int | float | np.generic):
            return x, t
        return None
    if isinstance(batch, Mapping):
        x = next((batch[k] for k in _SAMPLES if k in batch), None)
        t = next((batch[k] for k in _LABELS if k in batch), None)
        return None if x is None or t is None else (x, t)
    return None


def rebuilt(batch: Any, x: Any, t: Any) -> Any:
    """Return a batch of the same form with other samples and labels."""
    if isinstance(batch, Mapping):
        new = dict(batch)
        new[next(k for k in _SAMPLES if k in batch)] = x
        new[next(k for k in _LABELS if k in batch)] = t
        return new
    return [x, t] if isinstance(batch, list) else (x, t)


def sample_axes(x: Array, t: Array) -> tuple[int, int] | None:
    """Return along which axes of samples and labels the samples are counted; None where the lengths do not agree.

    Example:
        >>> sample_axes(np.ones((5, 3)), np.ones(5)), sample_axes(np.ones((3, 5)), np.ones((1, 5)))
        ((0, 0), (1, 1))
    """
    if not x.ndim or not t.ndim:
        return None
    if len(x) == len(t):
        return 0, 0
    if x.ndim == 2 and x.shape[1] == t.shape[-1]:
        return 1, t.ndim - 1
    return None


def one_hot(x: Array, t: Array, labels: Array, count: int) -> Array:
    """Return labels as rows of zeros and a one, or as columns where the samples or the labels are columns.

    Example:
        >>> labels = np.array([0, 1, 1])
        >>> one_hot(np.ones((3, 4)), labels, labels, 2).shape, one_hot(np.ones((4, 3)), labels, labels, 2).shape
        ((3, 2), (2, 3))
    """
    axes = sample_axes(x, t)
    rows = np.eye(count)[labels]
    return rows.T if axes is not None and any(axes) else rows


def samples_in(x: Any, t: Any) -> int | None:
    """Return how many samples there are; None where samples and labels do not agree."""
    axes = sample_axes(np.asarray(x), np.asarray(t))
    return None if axes is None else np.asarray(x).shape[axes[0]]


def subset(batch: Any, chosen: Any) -> Any:
    """Return a batch with those of its samples alone; None where it cannot be divided."""
    found = pair(batch)
    if found is None:
        return None
    x, t = np.asarray(found[0]), np.asarray(found[1])
    axes = sample_axes(x, t)
    if axes is None:
        return None
    return rebuilt(batch, np.take(x, chosen, axes[0]), np.take(t, chosen, axes[1]))


def joined(batches: Sequence[Any]) -> Any:
    """Return the samples of several batches as one; the first batch where they cannot be joined.

    Example:
        >>> joined([(np.ones((2, 3)), np.zeros(2)), (np.ones((1, 3)), np.zeros(1))])[0].shape
        (3, 3)
    """
    pairs = [pair(batch) for batch in batches]
    known = [p for p in pairs if p is not None]
    if len(known) != len(batches):
        return batches[0]
    arrays = [(np.asarray(x), np.asarray(t)) for x, t in known]
    axes = sample_axes(*arrays[0])
    if axes is None or any(sample_axes(*a) != axes for a in arrays):
        return batches[0]
    return rebuilt(
        batches[0], np.concatenate([x for x, _ in arrays], axes[0]), np.concatenate([t for _, t in arrays], axes[1])
    )


def copied(thing: Any) -> Any:
    """Return a batch whose arrays are copies."""
    if isinstance(thing, np.ndarray):
        return thing.copy()
    if isinstance(thing, tuple) and not hasattr(thing, "_fields"):
        return tuple(copied(part) for part in thing)
    if isinstance(thing, list):
        return [copied(part) for part in thing]
    if isinstance(thing, dict):
        return {k: copied(v) for k, v in thing.items()}
    return thing


def cast_batch(batch: Any, dtype: Any) -> Any:
    """Return a batch with its floats in another dtype."""
    if isinstance(batch, np.ndarray):
        return batch.astype(dtype) if batch.dtype.kind == "f" else batch
    if isinstance(batch, tuple) and not hasattr(batch, "_fields"):
        return tuple(cast_batch(part, dtype) for part in batch)
    if isinstance(batch, list) and any(isinstance(part, np.ndarray) for part in batch):
        return [cast_batch(part, dtype) for part in batch]
    if isinstance(batch, dict):
        return {k: cast_batch(v, dtype) for k, v in batch.items()}
    return batch
