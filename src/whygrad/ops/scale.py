"""Scale and shift: every entry of a sample times its own weight, plus its own bias."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad.errors import ShapeError
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array  #: (N, ...)
    w: Array  #: of the rank of a sample
    bias_shape: Shape | None


def scale(x: Array, w: Array, b: Array | None = None) -> tuple[Array, Pullback]:
    """Scale and shift the entries of every sample alike.

        y[n,k] = w[k]·x[n,k] + b[k],  k any index within a sample

    Where an axis of w or b has size 1, its one entry serves the whole axis: w of shape (C, 1, 1) is one weight a
    channel. It is what is left of a normalisation whose statistics are known, and how a network uses constants.

    Args:
        x: (N, ...), float32 or float64.
        w: weights with as many axes as one sample has, each of the sample's size or 1.
        b: biases, likewise, or None.

    Returns:
        y in the shape of x and the pullback dy → (dx, dw, db); db is None without a bias.

    Raises:
        ShapeError: weights or biases that do not fit a sample.
        DTypeError: integers, or dtypes that differ.

    Example:
        >>> x = np.array([[1., 2.], [3., 4.]])
        >>> y, pullback = scale(x, np.array([10., 1.]), np.array([0.5]))
        >>> y
        array([[10.5,  2.5],
               [30.5,  4.5]])
        >>> dx, dw, db = pullback(np.ones((2, 2)))
        >>> dx, dw, db
        (array([[10.,  1.],
               [10.,  1.]]), array([4., 6.]), array([4.]))

    Source: S. Ioffe and C. Szegedy, "Batch normalization" (2015), algorithm 1, its last line; Caffe's Scale.
    """
    arrays = floats("scale", x=x, w=w) if b is None else floats("scale", x=x, w=w, b=b)
    x, w, b = arrays[0], arrays[1], arrays[2] if b is not None else None
    if not x.ndim:
        raise ShapeError("scale", "x of shape (N, ...)", "()", "add a batch axis with x[None]")
    check_fits("scale", "w", w.shape, x.shape[1:])
    y = x * w
    if b is not None:
        check_fits("scale", "b", b.shape, x.shape[1:])
        y += b
    return y, partial(scale_backward, Saved(x, w, None if b is None else b.shape))


def scale_backward(saved: Saved, dy: Array) -> tuple[Array, Array, Array | None]:
    """Carry dy back; a weight that served several entries gets the sum over all of them.

    dx[n,k] = w[k]·dy[n,k]      dw[k] = Σ_n x[n,k]·dy[n,k]      db[k] = Σ_n dy[n,k]
    """
    x, w, bias_shape = saved
    dy = cotangent("scale", dy, x.shape, x.dtype)
    db = None if bias_shape is None else summed(dy, bias_shape)
    return dy * w, summed(dy * x, w.shape), db


def summed(d: Array, shape: Shape) -> Array:
    """Return d (N, ...) summed over the samples and over the axes of size 1 in ``shape``, in float64."""
    axes = (0, *(axis for axis, size in enumerate(shape, start=1) if size == 1))
    return d.sum(axis=axes, dtype=np.float64).astype(d.dtype).reshape(shape)


def check_fits(op: str, name: str, shape: Shape, sample: Shape) -> None:
    """Refuse a shape that is not a sample's, with 1 in any place."""
    if len(shape) != len(sample) or any(n not in (1, m) for n, m in zip(shape, sample, strict=True)):
        expected = f"{name} of shape {sample}, or 1 in any place of it"
        raise ShapeError(op, expected, f"{shape}", f"{name} has the axes of one sample, without the batch axis")
