"""The leaky rectified linear unit: a gate that never closes entirely."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats, number


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array
    slope: float  #: a


def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> tuple[Array, Pullback]:
    """Shrink negative entries: y = x for x > 0, else a·x with a = ``negative_slope``.

    The derivative is 1 for x > 0 and a elsewhere, at the kink x = 0 too.

    Args:
        x: any shape, float32 or float64.
        negative_slope: a, from −1e30 to 1e30.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.
        OptionError: a slope outside its domain.

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
    twin = engines.twin("leaky_relu")
    y = twin.forward(x, slope) if twin else np.where(x > 0, x, slope * np.minimum(x, 0))
    return y, partial(leaky_relu_backward, Saved(x, slope))


def leaky_relu_backward(saved: Saved, dy: Array) -> Array:
    """Scale dy by the slope that x met: dx = dy where x > 0, else a·dy."""
    x, slope = saved
    dy = cotangent("leaky_relu", dy, x.shape, x.dtype)
    twin = engines.twin("leaky_relu")
    return twin.backward(x, dy, slope) if twin else np.where(x > 0, dy, slope * dy)
