"""The logistic sigmoid: any number into the interval from 0 to 1."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    y: Array


def sigmoid(x: Array) -> tuple[Array, Pullback]:
    """Squash: y = 1 / (1 + e^(−x)), with derivative y(1 − y).

    Args:
        x: any shape, float32 or float64.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.

    Example:
        >>> y, pullback = sigmoid(np.array([0., 800., -800.]))
        >>> y
        array([0.5, 1. , 0. ])
        >>> pullback(np.ones(3))
        array([0.25, 0.  , 0.  ])

    Source: D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by back-propagating
    errors" (1986), equation 2.
    """
    (x,) = floats("sigmoid", x=x)
    twin = engines.twin("sigmoid")
    y = twin.forward(x) if twin else logistic(x)
    return y, partial(sigmoid_backward, Saved(y))


def sigmoid_backward(saved: Saved, dy: Array) -> Array:
    """Multiply by the slope, which the output alone tells: dx = dy · y(1 − y)."""
    (y,) = saved
    dy = cotangent("sigmoid", dy, y.shape, y.dtype)
    twin = engines.twin("sigmoid")
    return twin.backward(y, dy) if twin else dy * y * (1 - y)


def logistic(x: Array) -> Array:
    """Return 1 / (1 + e^(−x)) without overflow: e is only ever raised to −|x|."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), small) / (1 + small)
