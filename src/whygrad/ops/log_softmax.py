"""Log-softmax: scores into logarithms of probabilities, exact where the probabilities underflow."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.ops.softmax import shifted, some_classes
from whygrad.typing import Array, Pullback
from whygrad.validation import axis_of, cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    y: Array
    axis: int


def log_softmax(x: Array, *, axis: int = 1) -> tuple[Array, Pullback]:
    """Take the logarithm of the softmax along one axis without computing the softmax.

        y[k] = x[k] − log Σ_m e^(x[m])          ∂y[k]/∂x[m] = δ[k,m] − e^(y[m])

    Args:
        x: scores, float32 or float64, with at least one class along ``axis``.
        axis: the class axis, 1 as in (N, K) or (N, K, H, W).

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        ShapeError: no classes.
        DTypeError: integers.
        OptionError: an axis that x does not have.

    Example:
        >>> y, pullback = log_softmax(np.array([[0., 1000.]]))
        >>> y
        array([[-1000.,     0.]])
        >>> pullback(np.array([[1., 0.]]))
        array([[ 1., -1.]])

    Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep learning" (2016), section 6.2.2.3.
    """
    (x,) = floats("log_softmax", x=x)
    axis = axis_of("log_softmax", axis, x.ndim)
    some_classes("log_softmax", x, axis)
    twin = engines.twin("log_softmax")
    y = twin.forward(x, axis) if twin else log_probabilities(x, axis)
    return y, partial(log_softmax_backward, Saved(y, axis))


def log_softmax_backward(saved: Saved, dy: Array) -> Array:
    """Take the row's sum back from every class: dx[k] = dy[k] − e^(y[k]) Σ_m dy[m]."""
    y, axis = saved
    dy = cotangent("log_softmax", dy, y.shape, y.dtype)
    twin = engines.twin("log_softmax")
    return twin.backward(y, dy, axis) if twin else dy - np.exp(y) * dy.sum(axis=axis, keepdims=True)


def log_probabilities(x: Array, axis: int) -> Array:
    """Return log softmax(x): at most 0, and −∞ where the logarithm exceeds the dtype; never NaN for finite x."""
    z = shifted(x, axis)
    with np.errstate(over="ignore"):
        return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))
