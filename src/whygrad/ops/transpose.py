"""Transposition: the axes of every sample in another order."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad.errors import OptionError, ShapeError
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    axes: tuple[int, ...]
    y_shape: Shape
    dtype: np.dtype[Any]


def transpose(x: Array, *, axes: tuple[int, ...]) -> tuple[Array, Pullback]:
    """Put the axes in another order: axis i of y is axis ``axes[i]`` of x.

        y[n,i,j,c] = x[n,c,i,j]  for axes (0, 2, 3, 1)

    Args:
        x: (N, ...), float32 or float64, in any memory order.
        axes: every axis of x once, the batch axis 0 first.

    Returns:
        y and the pullback dy → dx. Nothing is computed; y is a view of x.

    Raises:
        ShapeError: another number of axes.
        DTypeError: integers.
        OptionError: axes that are not each of 0, 1, ... once, or that move the batch axis.

    Example:
        >>> y, pullback = transpose(np.array([[[1., 2., 3.], [4., 5., 6.]]]), axes=(0, 2, 1))
        >>> y
        array([[[1., 4.],
                [2., 5.],
                [3., 6.]]])
        >>> pullback(y)
        array([[[1., 2., 3.],
                [4., 5., 6.]]])

    Source: ONNX's Transpose, of samples.
    """
    (x,) = floats("transpose", x=x)
    axes = check_axes("transpose", axes)
    if len(axes) != x.ndim:
        raise ShapeError("transpose", f"x of {len(axes)} axes", f"{x.shape}", "name every axis of x once")
    y = x.transpose(axes)
    return y, partial(transpose_backward, Saved(axes, y.shape, x.dtype))


def transpose_backward(saved: Saved, dy: Array) -> Array:
    """Put the axes of dy back: axis ``axes[i]`` of dx is axis i of dy."""
    axes, y_shape, dtype = saved
    dy = cotangent("transpose", dy, y_shape, dtype)
    return dy.transpose(np.argsort(axes)).copy()


def check_axes(op: str, axes: Any) -> tuple[int, ...]:
    """Return ``axes``, refusing what is not 0 and then the other axes in some order."""
    good = isinstance(axes, tuple | list) and all(type(axis) is int for axis in axes)
    if not good or sorted(axes) != list(range(len(axes))) or not axes or axes[0] != 0:
        raise OptionError(op, "axes as 0 and then every other axis once", f"{axes!r}", "keep the batch axis first")
    return tuple(axes)
