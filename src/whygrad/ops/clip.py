"""Clipping: entries below or above two bounds are cut off there. ReLU6 is the one with 0 and 6."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np

from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats, number


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    y: Array  #: strictly between the bounds where x was
    low: float
    high: float


def clip(x: Array, *, low: float = -inf, high: float = inf) -> tuple[Array, Pullback]:
    """Cut entries off: y = min(max(x, low), high).

    The derivative is 1 for low < x < high and 0 elsewhere, at the two kinks too. Where low exceeds high, y = high.

    Args:
        x: any shape, float32 or float64.
        low: the least value, −∞ for no bound.
        high: the greatest value, ∞ for no bound.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.
        OptionError: a bound that is no number.

    Example:
        >>> y, pullback = clip(np.array([-1., 3., 9.]), low=0, high=6)
        >>> y
        array([0., 3., 6.])
        >>> pullback(np.array([5., 5., 5.]))
        array([0., 5., 0.])

    Source: A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10" (2010), for 0 and 6; ONNX's Clip.
    """
    (x,) = floats("clip", x=x)
    low, high = number("clip", "low", low, -inf, inf), number("clip", "high", high, -inf, inf)
    y = np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high))
    return y, partial(clip_backward, Saved(y, low, high))


def clip_backward(saved: Saved, dy: Array) -> Array:
    """Let dy through where nothing was cut off: dx = dy where low < x < high, else 0."""
    y, low, high = saved
    dy = cotangent("clip", dy, y.shape, y.dtype)
    within = (y > y.dtype.type(low)) & (y < y.dtype.type(high))
    return np.where(within, dy, y.dtype.type(0))
