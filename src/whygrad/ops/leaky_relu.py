"""The leaky rectified linear unit: a gate that never closes entirely."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from whygrad.ops._checks import cotangent, floats, number
from whygrad.typing import Array, Pullback


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    is_positive: npt.NDArray[np.bool_]  #: where x > 0
    negative_slope: float
    dtype: np.dtype[Any]


def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> tuple[Array, Pullback]:
    """Shrink negative entries: y = x for x > 0, else a·x with a = ``negative_slope``.

    The derivative is 1 for x > 0 and a elsewhere, at the kink x = 0 too.

    Args:
        x: any shape, float32 or float64.
        negative_slope: a, any finite number.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.
        OptionError: a slope that is not a finite number.

    Example:
        >>> y, pullback = leaky_relu(np.array([-2., 3.]), negative_slope=0.5)
        >>> y
        array([-1.,  3.])
        >>> pullback(np.array([1., 1.]))
        array([0.5, 1. ])

    Source: A. L. Maas, A. Y. Hannun and A. Y. Ng, "Rectifier nonlinearities improve neural network acoustic
    models" (2013).
    """
    (x,) = floats("leaky_relu", x=x)
    slope = number("leaky_relu", "negative_slope", negative_slope, -1e30, 1e30)
    is_positive = x > 0
    return np.where(is_positive, x, x * slope), partial(leaky_relu_backward, Saved(is_positive, slope, x.dtype))


def leaky_relu_backward(saved: Saved, dy: Array) -> Array:
    """Scale dy by the slope that x met: dx = dy where x > 0, else a·dy."""
    dy = cotangent("leaky_relu", dy, saved.is_positive.shape, saved.dtype)
    return np.where(saved.is_positive, dy, dy * saved.negative_slope)
