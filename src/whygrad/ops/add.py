"""Addition of two arrays: where branches of a network meet."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.ops.relu import Saved as Gate
from whygrad.ops.relu import relu, relu_backward
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import cotangent, floats, shape


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    shape: Shape
    dtype: np.dtype[Any]


def add(a: Array, b: Array) -> tuple[Array, Pullback]:
    """Add two arrays of one shape: y = a + b.

    Shapes that differ are refused instead of broadcast: in a residual branch that is nearly always a mistake.

    Args:
        a: any shape, float32 or float64.
        b: the shape of a.

    Returns:
        y in the shape of a and the pullback dy → (da, db).

    Raises:
        ShapeError: shapes that differ.
        DTypeError: integers, or dtypes that differ.

    Example:
        >>> y, pullback = add(np.array([1., 2.]), np.array([3., 4.]))
        >>> y
        array([4., 6.])
        >>> pullback(np.array([5., 6.]))
        (array([5., 6.]), array([5., 6.]))

    Source: K. He et al., "Deep residual learning for image recognition" (2015), equation 1.
    """
    a, b = _alike(a, b)
    twin = engines.twin("add")
    y = twin.forward(a, b) if twin else a + b
    return y, partial(add_backward, Saved(a.shape, a.dtype))


def add_relu(a: Array, b: Array) -> tuple[Array, Pullback]:
    """Return relu(a + b) without keeping the sum, and the pullback dy → the gradient of the sum.

    The bits are those of ``add`` and then ``relu``. Where both branches begin, the gradient is the same for them.
    """
    a, b = _alike(a, b)
    twin = engines.twin("add")
    if not twin:
        return relu(a + b)
    y = twin.forward(a, b, 0.0)
    return y, partial(relu_backward, Gate(y))


def _alike(a: Array, b: Array) -> list[Array]:
    """Return a and b, refusing what cannot be added."""
    a, b = floats("add", a=a, b=b)
    shape("add", "b", b, a.shape, "make both branches end in one shape, for instance with a 1x1 convolution")
    return [a, b]


def add_backward(saved: Saved, dy: Array) -> tuple[Array, Array]:
    """Give both branches all of dy, each its own copy: da = db = dy."""
    dy = cotangent("add", dy, saved.shape, saved.dtype)
    twin = engines.twin("add")
    return twin.backward(dy) if twin else (dy.copy(), dy.copy())
