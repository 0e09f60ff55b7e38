"""Half the squared error: the E of the textbooks, whose gradient is output minus target."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.losses.targets import Reduction, divisor, like
from whygrad.typing import Array
from whygrad.validation import floats


def half_squared_error(y: Array, target: Any, *, reduction: Reduction = "sum") -> tuple[float, Array]:
    """Add up half the squared distances to the target.

        E = ½ Σ (t − y)²          ∂E/∂y = y − t = −(t − y)

    Many texts call t − y the error and *add* its multiples; the gradient has the other sign and is subtracted.

    Args:
        y: predictions (N, ...), float32 or float64.
        target: t in the shape of y.
        reduction: "sum" over everything, as in the textbooks, or "mean" over the N samples of that sum. The
            mean of nothing is 0.

    Returns:
        The loss and its gradient in the shape of y.

    Raises:
        ShapeError: targets of another shape, or predictions without an axis.
        DTypeError: predictions that are no floats.
        DataError: targets that are not finite.
        OptionError: an unknown reduction.

    Example:
        >>> half_squared_error(np.array([[3., 0.], [0., 1.]]), np.array([[1., 0.], [0., 1.]]))
        (2.0, array([[2., 0.],
               [0., 0.]]))

    Source: J. Hertz, A. Krogh and R. G. Palmer, "Introduction to the theory of neural computation" (1991),
    equation 6.5.
    """
    op = "half_squared_error"
    (y,) = floats(op, y=y)
    if not y.ndim:
        raise ShapeError(op, "predictions of shape (N, ...)", "()", "add a batch axis with y[None]")
    t = like(op, target, y)
    by = divisor(op, reduction, y.shape[0])
    twin = engines.twin("half_squared_error")
    if twin:
        return twin.forward(y, t, by)
    with np.errstate(over="ignore"):  # a loss beyond the largest number is infinite
        difference = y - t
        return float((difference * difference).sum(dtype=np.float64) / (2 * by)), difference / y.dtype.type(by)
