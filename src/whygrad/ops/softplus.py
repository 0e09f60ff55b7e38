"""Softplus: a smooth rectifier."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.ops.sigmoid import logistic
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array


def softplus(x: Array) -> tuple[Array, Pullback]:
    """Rectify smoothly: y = log(1 + eˣ), with derivative σ(x).

    Computed as max(x, 0) + log(1 + e^(−|x|)), which never overflows.

    Args:
        x: any shape, float32 or float64.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.

    Example:
        >>> y, pullback = softplus(np.array([-800., 0., 800.]))
        >>> y.round(4)
        array([0.000e+00, 6.931e-01, 8.000e+02])
        >>> pullback(np.ones(3))
        array([0. , 0.5, 1. ])

    Source: C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing" (2001).
    """
    (x,) = floats("softplus", x=x)
    twin = engines.twin("softplus")
    y = twin.forward(x) if twin else np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y, partial(softplus_backward, Saved(x))


def softplus_backward(saved: Saved, dy: Array) -> Array:
    """Multiply by the slope: dx = dy · σ(x)."""
    (x,) = saved
    dy = cotangent("softplus", dy, x.shape, x.dtype)
    twin = engines.twin("softplus")
    return twin.backward(x, dy) if twin else dy * logistic(x)
