"""The exponential linear unit: linear above zero, saturating at −α below."""

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
    alpha: float


def elu(x: Array, *, alpha: float = 1.0) -> tuple[Array, Pullback]:
    """Saturate negative entries: y = x for x > 0, else α(eˣ − 1).

    The derivative is 1 for x > 0 and α·eˣ elsewhere; it is continuous for α = 1 only.

    Args:
        x: any shape, float32 or float64.
        alpha: α, at least 0.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.
        OptionError: an alpha outside its domain.

    Example:
        >>> y, pullback = elu(np.array([-1., 2.]))
        >>> y.round(4)
        array([-0.6321,  2.    ])
        >>> pullback(np.ones(2)).round(4)
        array([0.3679, 1.    ])

    Source: D.-A. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep network learning by
    exponential linear units" (2015), equation 15.
    """
    (x,) = floats("elu", x=x)
    alpha = number("elu", "alpha", alpha, 0.0, 1e30)
    twin = engines.twin("elu")
    y = twin.forward(x, alpha) if twin else np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    return y, partial(elu_backward, Saved(x, alpha))


def elu_backward(saved: Saved, dy: Array) -> Array:
    """Multiply by the slope: dx = dy for x > 0, else dy·α·eˣ."""
    x, alpha = saved
    dy = cotangent("elu", dy, x.shape, x.dtype)
    twin = engines.twin("elu")
    return twin.backward(x, dy, alpha) if twin else np.where(x > 0, dy, dy * (alpha * np.exp(np.minimum(x, 0))))
