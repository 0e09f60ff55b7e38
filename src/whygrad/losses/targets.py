"""What every loss asks of its targets, and how it reduces."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from whygrad.errors import DataError, DTypeError, OptionError, ShapeError
from whygrad.typing import Array, IntArray, Shape

Reduction = Literal["mean", "sum"]
_REDUCTIONS = get_args(Reduction)


def divisor(loss: str, reduction: Reduction, count: float) -> float:
    """Return what a sum is divided by: ``count`` for a mean, 1 for a sum.

    The mean of nothing is taken as 0, so that an empty batch adds nothing.
    """
    if reduction not in _REDUCTIONS:
        raise OptionError(loss, 'reduction "mean" or "sum"', f"{reduction!r}", "change reduction")
    return count if reduction == "mean" and count else 1.0


def is_classes(target: Any) -> bool:
    """Tell class indices from probabilities: they are whole numbers by dtype."""
    return np.asarray(target).dtype.kind in "iu"


def classes(loss: str, target: Any, scores: Shape) -> IntArray:
    """Return class indices for scores (N, K, ...), refusing what is no index of a class."""
    if len(scores) < 2 or not scores[1]:
        raise ShapeError(loss, "scores of shape (N, K) or (N, K, ...), K > 0", f"{scores}", "add the class axis")
    index = np.asarray(target)
    if index.dtype.kind not in "iu":
        raise DTypeError(loss, "class indices of an integer dtype", f"{index.dtype}", "use target.astype(int)")
    wanted = (scores[0], *scores[2:])
    if index.shape != wanted:
        remedy = "pass one class index a sample"
        if index.shape == scores:
            remedy = "pass indices with target.argmax(axis=1), or probabilities with target.astype(float)"
        raise ShapeError(loss, f"class indices of shape {wanted}", f"{index.shape}", remedy)
    if not _within(index, scores[1]):
        wrong = index.max() if index.min() >= 0 else index.min()
        remedy = "count classes from 0, or give the last layer one output a class"
        raise DataError(loss, f"labels from 0 to {scores[1] - 1}", f"label {wrong}", remedy)
    return index


def _within(index: IntArray, count: int) -> bool:
    """Return whether all class indices are from 0 to count − 1."""
    if index.size <= _FEW:
        labels = index.ravel().tolist()
        return not labels or (min(labels) >= 0 and max(labels) < count)
    # Seen as unsigned, a negative number is larger than all others: one look at the largest is enough.
    return bool(index.view(f"{index.dtype.byteorder}u{index.itemsize}").max() < count)


_FEW = 32  #: labels that are looked at one by one in less time than an array takes


def like(loss: str, target: Any, prediction: Array) -> Array:
    """Return targets in the shape and dtype of the predictions, refusing another shape or NaN."""
    values = np.asarray(target)
    if values.dtype.kind not in "fiub":
        raise DTypeError(loss, "targets that are numbers", f"{values.dtype}", "convert the targets")
    if values.shape != prediction.shape:
        remedy = "give every prediction its target; nothing is broadcast"
        raise ShapeError(loss, f"targets of shape {prediction.shape}", f"{values.shape}", remedy)
    with np.errstate(over="ignore"):
        values = values.astype(prediction.dtype)
    if not np.isfinite(values).all():
        received = f"NaN, infinity or more than {prediction.dtype} holds"
        raise DataError(loss, "finite targets", received, "look for the sample that has it")
    return values
