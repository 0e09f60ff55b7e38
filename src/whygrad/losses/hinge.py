"""The multi-class hinge loss of support vector machines."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad import engines
from whygrad.losses.targets import Reduction, classes, divisor
from whygrad.typing import Array
from whygrad.validation import floats, number


def hinge(scores: Array, target: Any, *, reduction: Reduction = "mean", margin: float = 1.0) -> tuple[float, Array]:
    """Charge every wrong class that comes within a margin of the right one.

        E[n] = Σ_{k ≠ t} max(0, s[n,k] − s[n,t] + Δ)

    The gradient is 1/N for each class that is charged and minus their number for the right class. At the kink,
    where a class is exactly at the margin, it is not charged.

    Args:
        scores: s (N, K) or (N, K, ...), float32 or float64, of any finite size.
        target: class indices t (N, ...) of an integer dtype.
        reduction: "mean" or "sum" over samples and positions. The mean of nothing is 0.
        margin: Δ, at least 0.

    Returns:
        The loss and its gradient in the shape of the scores.

    Raises:
        ShapeError: targets that do not fit the scores.
        DTypeError: scores that are no floats, or targets that are no integers.
        DataError: labels out of range.
        OptionError: an option outside its domain.

    Example:
        >>> hinge(np.array([[3., 2.5, 0.]]), np.array([0]))
        (0.5, array([[-1.,  1.,  0.]]))

    Source: J. Weston and C. Watkins, "Multi-class support vector machines" (1998); the form of the course
    CS231n.
    """
    (s,) = floats("hinge", scores=scores)
    margin = number("hinge", "margin", margin, 0.0, 1e30)
    index = classes("hinge", target, s.shape)
    by = divisor("hinge", reduction, index.size)
    twin = engines.twin("hinge")
    if twin:
        return twin.forward(s, index, margin, by)
    index = index[:, None]
    with np.errstate(over="ignore"):
        excess = s - np.take_along_axis(s, index, axis=1) + s.dtype.type(margin)
        np.put_along_axis(excess, index, 0, axis=1)
        loss = float(np.maximum(excess, 0).sum(dtype=np.float64) / by)
    gradient = (excess > 0).astype(s.dtype)
    np.put_along_axis(gradient, index, -gradient.sum(axis=1, keepdims=True), axis=1)
    return loss, gradient / s.dtype.type(by)
