"""Global average pooling: one mean for each channel."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import cotangent, floats, rank


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x_shape: Shape
    dtype: np.dtype[Any]


def global_avg_pool2d(x: Array) -> tuple[Array, Pullback]:
    """Take the mean of each channel.

        y[n,c,0,0] = 1/(H·W) · Σ_a Σ_b x[n,c,a,b]

    Args:
        x: images (N, C, H, W) of at least one pixel, float32 or float64, in any memory order.

    Returns:
        y (N, C, 1, 1) and the pullback dy → dx.

    Raises:
        ShapeError: x without four axes or without pixels.
        DTypeError: integers.

    Example:
        >>> y, pullback = global_avg_pool2d(np.array([[1., 2.], [3., 6.]])[None, None])
        >>> y
        array([[[[3.]]]])
        >>> pullback(y)[0, 0]
        array([[0.75, 0.75],
               [0.75, 0.75]])

    Source: M. Lin, Q. Chen and S. Yan, "Network in network" (2013), section 3.2.
    """
    (x,) = floats("global_avg_pool2d", x=x)
    rank("global_avg_pool2d", "x", x, "(N, C, H, W)")
    if not x.shape[2] * x.shape[3]:
        raise ShapeError("global_avg_pool2d", "images of at least 1x1", f"{x.shape}", "check the layers before")
    twin = engines.twin("global_avg_pool2d")
    # Sums over a channel are long, and NumPy adds them one by one in some memory orders: add them in float64.
    y = twin.forward(x) if twin else x.mean(axis=(2, 3), keepdims=True, dtype=np.float64).astype(x.dtype)
    return y, partial(global_avg_pool2d_backward, Saved(x.shape, x.dtype))


def global_avg_pool2d_backward(saved: Saved, dy: Array) -> Array:
    """Give every pixel its share: dx[n,c,a,b] = dy[n,c,0,0] / (H·W)."""
    n, c, h, w = saved.x_shape
    dy = cotangent("global_avg_pool2d", dy, (n, c, 1, 1), saved.dtype)
    twin = engines.twin("global_avg_pool2d")
    return twin.backward(saved.x_shape, dy) if twin else np.repeat(np.repeat(dy / (h * w), h, axis=2), w, axis=3)
