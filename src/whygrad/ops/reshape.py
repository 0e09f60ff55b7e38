"""Reshaping: the entries of every sample in rows of other lengths."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError, ShapeError
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import cotangent, floats, whole


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x_shape: Shape
    y_shape: Shape
    dtype: np.dtype[Any]


def reshape(x: Array, *, shape: Shape) -> tuple[Array, Pullback]:
    """Give every sample another shape; the order of its entries, the last axis fastest, stays.

    Args:
        x: (N, ...) with at least one axis, float32 or float64, in any memory order.
        shape: of one sample, without the batch axis; () for a single number.

    Returns:
        y (N, *shape) and the pullback dy → dx. Nothing is computed; y is a view of x where x lies in C order.

    Raises:
        ShapeError: another number of entries.
        DTypeError: integers.
        OptionError: a shape that is not a tuple of whole numbers.

    Example:
        >>> y, pullback = reshape(np.array([[1., 2., 3., 4.]]), shape=(2, 2))
        >>> y
        array([[[1., 2.],
                [3., 4.]]])
        >>> pullback(y).shape
        (1, 4)

    Source: ONNX's Reshape, of samples.
    """
    (x,) = floats("reshape", x=x)
    if not x.ndim:
        raise ShapeError("reshape", "x of shape (N, ...)", "()", "add a batch axis with x[None]")
    shape = check_shape("reshape", shape)
    check_entries(x.shape[1:], shape)
    twin = engines.twin("flatten")
    y = (twin.forward(x) if twin else x).reshape(x.shape[0], *shape)
    return y, partial(reshape_backward, Saved(x.shape, y.shape, x.dtype))


def reshape_backward(saved: Saved, dy: Array) -> Array:
    """Put dy back into the shape of x."""
    x_shape, y_shape, dtype = saved
    dy = cotangent("reshape", dy, y_shape, dtype)
    twin = engines.twin("flatten")
    if twin:
        return twin.backward(x_shape, twin.forward(dy))
    return dy.reshape(x_shape).copy()


def check_shape(op: str, shape: Any) -> Shape:
    """Return ``shape``, refusing what is not a tuple of whole numbers."""
    if not isinstance(shape, tuple | list):
        raise OptionError(op, "shape as a tuple of whole numbers", f"{shape!r}", "change shape")
    return tuple(whole(op, "shape", size, 0) for size in shape)


def check_entries(sample: Shape, shape: Shape) -> None:
    """Refuse a shape with another number of entries than a sample has."""
    if prod(sample) != prod(shape):
        expected = f"a shape of {prod(sample)} entries, as samples of {sample} have"
        raise ShapeError("reshape", expected, f"{shape} of {prod(shape)}", "change shape")
