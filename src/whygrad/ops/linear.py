"""The dense layer: every output is a weighted sum of every input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.ops.relu import Saved as ReLUSaved
from whygrad.ops.relu import relu_backward
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats, rank, shape


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array  #: (N, D)
    w: Array  #: (F, D)
    has_bias: bool


def linear(x: Array, w: Array, b: Array | None = None) -> tuple[Array, Pullback]:
    """Multiply by a matrix and add a bias.

        y[n,f] = b[f] + Σ_d w[f,d] · x[n,d]          y = x wᵀ + b

    Args:
        x: samples (N, D), float32 or float64.
        w: weights (F, D), one row for each output, as in PyTorch.
        b: bias (F,) or None.

    Returns:
        y (N, F) and the pullback dy → (dx, dw, db); db is None without a bias.

    Raises:
        ShapeError: ranks or sizes that do not fit.
        DTypeError: integers, or dtypes that differ.

    Example:
        >>> y, pullback = linear(np.array([[1., 2.]]), np.array([[3., 4.], [5., 6.]]), np.array([0., 1.]))
        >>> y
        array([[11., 18.]])
        >>> dx, dw, db = pullback(np.array([[1., 10.]]))
        >>> dx, dw.tolist(), db
        (array([[53., 64.]]), [[1.0, 2.0], [10.0, 20.0]], array([ 1., 10.]))

    Source: D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by back-propagating
    errors" (1986).
    """
    return _linear(False, *_checked(x, w, b))


def linear_relu(x: Array, w: Array, b: Array | None = None) -> tuple[Array, Pullback]:
    """Return what ``linear`` and then ``relu`` make of x, to the same bits, without a pass for the second."""
    return _linear(True, *_checked(x, w, b))


def linear_for(*, gated: bool) -> Callable[..., tuple[Array, Pullback]]:
    """Return ``linear``, or ``linear_relu`` if ``gated``, of x, w and b that are known to fit together."""
    return partial(_linear, gated)


def _checked(x: Array, w: Array, b: Array | None) -> tuple[Array, Array, Array | None]:
    """Return the arrays, refusing what does not fit together."""
    arrays = floats("linear", x=x, w=w) if b is None else floats("linear", x=x, w=w, b=b)
    x, w = arrays[0], arrays[1]
    rank("linear", "x", x, "(N, D)")
    rank("linear", "w", w, "(F, D)")
    if x.shape[1] != w.shape[1]:
        expected = f"x with {w.shape[1]} features, as w of shape {w.shape} wants"
        raise ShapeError("linear", expected, f"{x.shape[1]} features", "give w the shape (F, D): transpose (D, F)")
    if b is not None:
        b = arrays[2]
        shape("linear", "b", b, (w.shape[0],), "give one bias an output")
    return x, w, b


def _linear(gated: bool, x: Array, w: Array, b: Array | None = None) -> tuple[Array, Pullback]:
    twin = engines.twin("linear")
    y = twin.forward(x, w, b, gated=gated) if twin else x @ w.T + (0 if b is None else b)
    if gated and not twin:
        y = np.maximum(y, 0)
    saved = Saved(x, w, b is not None)
    return y, partial(linear_relu_backward, saved, y) if gated else partial(linear_backward, saved)


def linear_backward(
    saved: Saved, dy: Array, *, input_gradient: bool = True
) -> tuple[Array | None, Array, Array | None]:
    """Carry dy (N, F) back: dx = dy w,  dw = dyᵀ x,  db = Σ_n dy[n].

    Without ``input_gradient`` dx is None: nobody asks how to change the samples that training starts from.
    """
    x, w, has_bias = saved
    dy = cotangent("linear", dy, (x.shape[0], w.shape[0]), x.dtype)
    twin = engines.twin("linear")
    if twin:
        return twin.backward(x, w, None, dy, with_bias=has_bias, input_gradient=input_gradient)
    return dy @ w if input_gradient else None, dy.T @ x, dy.sum(axis=0) if has_bias else None


def linear_relu_backward(
    saved: Saved, y: Array, dy: Array, *, input_gradient: bool = True
) -> tuple[Array | None, Array, Array | None]:
    """Carry dy back through the gate, open where y > 0, and through the layer before it."""
    twin = engines.twin("linear")
    if not twin:
        return linear_backward(saved, relu_backward(ReLUSaved(y), dy), input_gradient=input_gradient)
    x, w, has_bias = saved
    dy = cotangent("relu", dy, y.shape, y.dtype)
    return twin.backward(x, w, y, dy, with_bias=has_bias, input_gradient=input_gradient)
