"""Taking rows and columns of images: cropping, slicing, and resizing to the nearest pixel."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError
from whygrad.typing import Array, IntArray, Pullback, Shape
from whygrad.validation import cotangent, floats, rank


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    vertical: IntArray
    horizontal: IntArray
    x_shape: Shape
    dtype: np.dtype[Any]


def take2d(x: Array, *, vertical: tuple[int, ...], horizontal: tuple[int, ...]) -> tuple[Array, Pullback]:
    """Show some rows and columns of each image, in any order and as often as named.

        y[n,c,i,j] = x[n, c, vertical[i], horizontal[j]]

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        vertical: for each row of y the row of x that it shows, from 0 to H − 1.
        horizontal: likewise, from 0 to W − 1.

    Returns:
        y (N, C, number of rows, number of columns) and the pullback dy → dx.

    Raises:
        ShapeError: x without four axes.
        DTypeError: integers.
        OptionError: a row or column that there is not.

    Example:
        >>> y, pullback = take2d(np.array([[1., 2., 3.]])[None, None], vertical=(0,), horizontal=(2, 0, 2))
        >>> y[0, 0]
        array([[3., 1., 3.]])
        >>> pullback(np.array([[1., 10., 100.]])[None, None])[0, 0]
        array([[ 10.,   0., 101.]])

    Source: the index maps of ONNX's Resize with mode "nearest", and of its Slice.
    """
    (x,) = floats("take2d", x=x)
    rank("take2d", "x", x, "(N, C, H, W)")
    down = check_places("take2d", "vertical", vertical, x.shape[2])
    across = check_places("take2d", "horizontal", horizontal, x.shape[3])
    twin = engines.twin("pad2d")
    y = twin.forward(x, down, across, 0.0) if twin else x[:, :, down[:, None], across]
    return y, partial(take2d_backward, Saved(down, across, x.shape, x.dtype))


def take2d_backward(saved: Saved, dy: Array) -> Array:
    """Add up dy over every place that shows the same pixel; pixels that are not shown get 0.

    dx[n,c,a,b] = Σ dy[n,c,i,j]  over all i with vertical[i] = a and j with horizontal[j] = b
    """
    vertical, horizontal, x_shape, dtype = saved
    dy = cotangent("take2d", dy, (*x_shape[:2], len(vertical), len(horizontal)), dtype)
    twin = engines.twin("pad2d")
    if twin:
        return twin.backward(vertical, horizontal, x_shape, dy)
    dx = np.zeros(x_shape, dtype)
    for i, row in enumerate(vertical):
        for j, column in enumerate(horizontal):
            dx[:, :, row, column] += dy[:, :, i, j]
    return dx


def check_places(op: str, name: str, places: Any, size: int) -> IntArray:
    """Return ``places`` as an array, refusing what an axis of this size does not have."""
    good = isinstance(places, tuple | list) and all(type(at) is int and 0 <= at < size for at in places)
    if not good or not places:
        expected = f"{name} as a tuple of whole numbers from 0 to {size - 1}, at least one"
        raise OptionError(op, expected, _shown(places), f"change {name}")
    return np.array(places, np.int64)


def _shown(value: Any) -> str:
    """Return what was given, cut short."""
    text = repr(value)
    return text if len(text) < 80 else f"{text[:76]} ..."
