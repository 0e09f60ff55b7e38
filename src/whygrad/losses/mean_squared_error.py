"""The squared error, averaged over all entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad import engines
from whygrad.losses.targets import Reduction, divisor, like
from whygrad.typing import Array
from whygrad.validation import floats


def mean_squared_error(y: Array, target: Any, *, reduction: Reduction = "mean") -> tuple[float, Array]:
    """Average the squared distances to the target over all M entries.

        E = 1/M Σ (y − t)²          ∂E/∂y = 2/M (y − t)

    Args:
        y: predictions of any shape, float32 or float64.
        target: t in the shape of y.
        reduction: "mean" over all entries, or "sum" without 1/M. The mean of nothing is 0.

    Returns:
        The loss and its gradient in the shape of y.

    Raises:
        ShapeError: targets of another shape.
        DTypeError: predictions that are no floats.
        DataError: targets that are not finite.
        OptionError: an unknown reduction.

    Example:
        >>> mean_squared_error(np.array([[3., 0.]]), np.array([[1., 0.]]))
        (2.0, array([[2., 0.]]))

    Source: C. M. Bishop, "Pattern recognition and machine learning" (2006), section 1.5.5.
    """
    op = "mean_squared_error"
    (y,) = floats(op, y=y)
    t = like(op, target, y)
    by = divisor(op, reduction, y.size)
    twin = engines.twin("mean_squared_error")
    if twin:
        return twin.forward(y, t, by)
    with np.errstate(over="ignore"):  # a loss beyond the largest number is infinite
        difference = y - t
        return float((difference * difference).sum(dtype=np.float64) / by), 2 * difference / y.dtype.type(by)
