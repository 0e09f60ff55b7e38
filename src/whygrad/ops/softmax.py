"""Softmax: scores into probabilities."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.typing import Array, Pullback
from whygrad.validation import axis_of, cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    y: Array
    axis: int


def softmax(x: Array, *, axis: int = 1) -> tuple[Array, Pullback]:
    """Turn scores into probabilities along one axis.

        y[k] = e^(x[k]) / Σ_m e^(x[m])          ∂y[k]/∂x[m] = y[k](δ[k,m] − y[m])

    Every row is shifted by its own maximum first, which changes nothing but prevents overflow.

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
        >>> y, pullback = softmax(np.log(np.array([[1., 2., 1.]])))
        >>> y
        array([[0.25, 0.5 , 0.25]])
        >>> pullback(np.array([[1., 0., 0.]]))
        array([[ 0.1875, -0.125 , -0.0625]])

    Source: J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs" (1990).
    """
    (x,) = floats("softmax", x=x)
    axis = axis_of("softmax", axis, x.ndim)
    some_classes("softmax", x, axis)
    twin = engines.twin("softmax")
    if twin:
        y = twin.forward(x, axis)
    else:
        e = np.exp(shifted(x, axis))
        y = e / e.sum(axis=axis, keepdims=True)
    return y, partial(softmax_backward, Saved(y, axis))


def softmax_backward(saved: Saved, dy: Array) -> Array:
    """Multiply by the whole Jacobian, not its diagonal: dx[k] = y[k] (dy[k] − Σ_m dy[m]·y[m])."""
    y, axis = saved
    dy = cotangent("softmax", dy, y.shape, y.dtype)
    twin = engines.twin("softmax")
    return twin.backward(y, dy, axis) if twin else y * (dy - (dy * y).sum(axis=axis, keepdims=True))


def some_classes(op: str, x: Array, axis: int) -> None:
    """Refuse scores that have no class along ``axis``."""
    if not x.shape[axis]:
        raise ShapeError(op, f"at least one class along axis {axis}", f"shape {x.shape}", "check the last layer")


def shifted(x: Array, axis: int) -> Array:
    """Return x minus its maximum along ``axis``: at most 0, and −∞ where a difference exceeds the dtype."""
    with np.errstate(over="ignore"):
        return x - x.max(axis=axis, keepdims=True)
