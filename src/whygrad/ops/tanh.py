"""The hyperbolic tangent: any number into the interval from −1 to 1."""

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


def tanh(x: Array) -> tuple[Array, Pullback]:
    """Squash symmetrically: y = tanh x, with derivative 1 − y².

    Args:
        x: any shape, float32 or float64.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.

    Example:
        >>> y, pullback = tanh(np.array([0., 1.]))
        >>> y.round(4)
        array([0.    , 0.7616])
        >>> pullback(np.ones(2)).round(4)
        array([1.  , 0.42])

    Source: Y. LeCun et al., "Efficient backprop" (1998), section 4.4.
    """
    (x,) = floats("tanh", x=x)
    twin = engines.twin("tanh")
    y = twin.forward(x) if twin else np.tanh(x)
    return y, partial(tanh_backward, Saved(y))


def tanh_backward(saved: Saved, dy: Array) -> Array:
    """Multiply by the slope, which the output alone tells: dx = dy · (1 − y²)."""
    (y,) = saved
    dy = cotangent("tanh", dy, y.shape, y.dtype)
    twin = engines.twin("tanh")
    return twin.backward(y, dy) if twin else dy * (1 - y * y)
