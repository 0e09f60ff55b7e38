"""Nearest-neighbour upsampling by a whole factor."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.typing import Array, Pair, Pullback, Shape
from whygrad.validation import cotangent, floats, pair, rank


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x_shape: Shape
    factor: tuple[int, int]
    dtype: np.dtype[Any]


def upsample_nearest2d(x: Array, *, scale_factor: Pair = 2) -> tuple[Array, Pullback]:
    """Repeat every pixel in a block.

        y[n,c,i,j] = x[n, c, ⌊i / v⌋, ⌊j / h⌋]

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        scale_factor: the size v, h of a block, one whole number or (vertical, horizontal).

    Returns:
        y (N, C, H·v, W·h) and the pullback dy → dx.

    Raises:
        ShapeError: x without four axes.
        DTypeError: integers.
        OptionError: a factor that is not a whole number of at least 1.

    Example:
        >>> y, pullback = upsample_nearest2d(np.array([[1., 2.]])[None, None])
        >>> y[0, 0]
        array([[1., 1., 2., 2.],
               [1., 1., 2., 2.]])
        >>> pullback(y)[0, 0]
        array([[4., 8.]])

    Source: ONNX's Resize with mode "nearest" and whole scales.
    """
    (x,) = floats("upsample_nearest2d", x=x)
    rank("upsample_nearest2d", "x", x, "(N, C, H, W)")
    v, h = pair("upsample_nearest2d", "scale_factor", scale_factor)
    twin = engines.twin("upsample_nearest2d")
    y = twin.forward(x, (v, h)) if twin else x.repeat(v, axis=2).repeat(h, axis=3)
    return y, partial(upsample_nearest2d_backward, Saved(x.shape, (v, h), x.dtype))


def upsample_nearest2d_backward(saved: Saved, dy: Array) -> Array:
    """Add up dy over each pixel's block: dx[n,c,a,b] = Σ_p Σ_q dy[n, c, a·v + p, b·h + q]."""
    (n, c, height, width), (v, h) = saved.x_shape, saved.factor
    dy = cotangent("upsample_nearest2d", dy, (n, c, height * v, width * h), saved.dtype)
    twin = engines.twin("upsample_nearest2d")
    if twin:
        return twin.backward(saved.x_shape, saved.factor, dy)
    return dy.reshape(n, c, height, v, width, h).sum(axis=(3, 5))
