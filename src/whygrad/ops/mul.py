"""Multiplication of two arrays: where one branch of a network gates another."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    a: Array
    b: Array


def mul(a: Array, b: Array) -> tuple[Array, Pullback]:
    """Multiply two arrays entry by entry: y = a·b.

    Where b has size 1 along an axis, its one entry gates the whole axis of a: b of shape (N, C, 1, 1) is one gate a
    channel, as in squeeze-and-excitation.

    Args:
        a: any shape, float32 or float64.
        b: the shape of a, or 1 in any place of it.

    Returns:
        y in the shape of a and the pullback dy → (da, db).

    Raises:
        ShapeError: shapes that do not fit.
        DTypeError: integers, or dtypes that differ.

    Example:
        >>> y, pullback = mul(np.array([[1., 2.]]), np.array([[3.]]))
        >>> y
        array([[3., 6.]])
        >>> pullback(np.array([[1., 10.]]))
        (array([[ 3., 30.]]), array([[21.]]))

    Source: J. Hu, L. Shen and G. Sun, "Squeeze-and-excitation networks" (2017), equation 4.
    """
    a, b = floats("mul", a=a, b=b)
    if len(b.shape) != len(a.shape) or any(n not in (1, m) for n, m in zip(b.shape, a.shape, strict=True)):
        remedy = "make both branches end in one shape, or the gate in one with 1 in places"
        raise ShapeError("mul", f"b of shape {a.shape}, or 1 in any place of it", f"{b.shape}", remedy)
    return _product(a, b), partial(mul_backward, Saved(a, b))


def mul_backward(saved: Saved, dy: Array) -> tuple[Array, Array]:
    """Give each the other's share: da = b·dy and db = a·dy, summed over what an entry of b gated."""
    a, b = saved
    dy = cotangent("mul", dy, a.shape, a.dtype)
    db = _product(a, dy)
    axes = tuple(axis for axis, size in enumerate(b.shape) if size == 1 and a.shape[axis] != 1)
    if axes:
        db = db.sum(axis=axes, dtype=np.float64, keepdims=True).astype(a.dtype)
    return _product(dy, b), db


def _product(a: Array, b: Array) -> Array:
    twin = engines.twin("elementwise") if a.shape == b.shape else None
    return twin.product(a, b) if twin else np.multiply(a, b)
