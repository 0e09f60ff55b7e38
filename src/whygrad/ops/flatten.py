"""Flattening: one row of numbers for each sample."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x_shape: Shape
    dtype: np.dtype[Any]


def flatten(x: Array) -> tuple[Array, Pullback]:
    """Lay the axes after the first out in one, the last axis running fastest.

        y[n, (c·H + a)·W + b] = x[n,c,a,b]

    Args:
        x: (N, ...) with at least one axis, float32 or float64, in any memory order.

    Returns:
        y (N, product of the other sizes) and the pullback dy → dx. Nothing is computed; y is a
        view of x where x lies in C order.

    Raises:
        ShapeError: a single number without a batch axis.
        DTypeError: integers.

    Example:
        >>> y, pullback = flatten(np.array([[[1., 2.], [3., 4.]]]))
        >>> y
        array([[1., 2., 3., 4.]])
        >>> pullback(y).shape
        (1, 2, 2)

    Source: the reshaping of ONNX's Flatten with axis 1.
    """
    (x,) = floats("flatten", x=x)
    if x.ndim == 0:
        raise ShapeError("flatten", "x of shape (N, ...)", "()", "add a batch axis with x[None]")
    return flatten_for(x)


def flatten_for(x: Array) -> tuple[Array, Pullback]:
    """Return ``flatten`` of a float array that has a batch axis."""
    twin = engines.twin("flatten")
    y = twin.forward(x) if twin else x.reshape(x.shape[0], prod(x.shape[1:]))
    return y, partial(flatten_backward, Saved(x.shape, x.dtype))


def flatten_backward(saved: Saved, dy: Array) -> Array:
    """Put dy back into the shape of x."""
    n, *rest = saved.x_shape
    dy = cotangent("flatten", dy, (n, prod(rest)), saved.dtype)
    twin = engines.twin("flatten")
    return twin.backward(saved.x_shape, dy) if twin else dy.reshape(saved.x_shape).copy()
