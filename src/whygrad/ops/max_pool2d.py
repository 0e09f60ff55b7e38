"""Max-pooling: each window passes its largest entry on, and the gradient goes back to that entry alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.ops.windows import (
    Geometry,
    check_windows_see_image,
    fold,
    four_sides,
    geometry,
    pad,
    remembered,
    windows,
)
from whygrad.typing import Array, IntArray, Pair, Pullback, Sides
from whygrad.validation import cotangent, floats, rank


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    winner: (
        IntArray  #: (N, C, I, J), the index r·S + s of the tap that saw the maximum, in a byte if that holds it;
    )
    #: −1, of which a byte has the bits, for a maximum that a ReLU cuts off
    where: Geometry
    dtype: np.dtype[Any]


def max_pool2d(
    x: Array,
    *,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Sides = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Pullback]:
    """Take the largest entry of each window.

        y[n,c,i,j] = max over r, s of  x̂[n, c, i·t + r·d, j·t + s·d]

    The image is padded with −∞, so that padding never wins, also against negative entries. Of equal entries the
    first one, row by row, takes the tie.

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        kernel_size: R, S as one number or (vertical, horizontal).
        stride: step between windows; the kernel size if None. Windows overlap where it is smaller.
        padding: −∞ around the image: one number, (vertical, horizontal) or (top, bottom, left, right).
        dilation: distance between the taps of a window.
        ceil_mode: let a last window hang over the edge where a row or column would be left out.

    Returns:
        y (N, C, I, J) and the pullback dy → dx.

    Raises:
        ShapeError: x without four axes, or a window larger than the padded image.
        DTypeError: integers.
        OptionError: an option outside its domain, or padding so wide that a window sees nothing else.

    Example:
        >>> x = np.array([[1., 2., 5.], [4., 4., 0.], [0., 0., 3.]])[None, None]
        >>> y, pullback = max_pool2d(x, kernel_size=2, stride=1)
        >>> y[0, 0]
        array([[4., 5.],
               [4., 4.]])
        >>> pullback(np.array([[1., 2.], [3., 4.]])[None, None])[0, 0]
        array([[0., 0., 2.],
               [4., 4., 0.],
               [0., 0., 0.]])

    Source: K. Yamaguchi et al., "A neural network for speaker-independent isolated word recognition" (1990);
    size arithmetic of ONNX's MaxPool.
    """
    return _pool(
        x,
        gated=False,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )


def max_pool2d_relu(x: Array, **options: Any) -> tuple[Array, Pullback]:
    """Return what ``relu`` and then ``max_pool2d`` make of x, to the same bits, in one pass.

    A maximum cut off at 0 is the maximum of what was cut off at 0. Where all entries of a window are cut off no
    gradient flows to any of them, so that none is said to have won.
    """
    return _pool(x, gated=True, **options)


def _pool(
    x: Array,
    *,
    gated: bool,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Sides = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Pullback]:
    (x,) = floats("max_pool2d", x=x)
    rank("max_pool2d", "x", x, "(N, C, H, W)")
    where, index = _geometry(
        x.shape[2:],
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    return _max_pool2d(gated, where, index, x)


def max_pool2d_for(
    size: tuple[int, int], *, gated: bool, **options: Any
) -> Callable[[Array], tuple[Array, Pullback]]:
    """Return ``max_pool2d``, or ``max_pool2d_relu`` if ``gated``, for float images of this height and width."""
    return partial(_max_pool2d, gated, *_geometry(size, **options))


def _max_pool2d(gated: bool, where: Geometry, index: np.dtype[Any], x: Array) -> tuple[Array, Pullback]:
    twin = engines.twin("max_pool2d")
    y, winner = twin.forward(x, where, index, gated=gated) if twin else _maxima(x, where, index, gated=gated)
    return y, partial(max_pool2d_backward, Saved(winner, where, x.dtype))


@remembered
def _geometry(
    size: tuple[int, int],
    *,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Sides,
    dilation: Pair,
    ceil_mode: bool,
) -> tuple[Geometry, np.dtype[Any]]:
    """Return where the windows lie, and the dtype that holds the index of a tap."""
    where = geometry(
        "max_pool2d",
        size,
        kernel=kernel_size,
        stride=kernel_size if stride is None else stride,
        padding=four_sides("max_pool2d", padding),
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    check_windows_see_image("max_pool2d", where)
    return where, np.dtype(np.uint8 if prod(where.kernel) <= 255 else np.int32)


def _maxima(x: Array, where: Geometry, index: np.dtype[Any], *, gated: bool) -> tuple[Array, IntArray]:
    """Return the maximum of each window, or 0 if it is less and ``gated``, and which tap saw it."""
    seen = windows(pad(x, where.padding, -np.inf), where)
    taps = seen.reshape(*seen.shape[:4], prod(where.kernel))
    winner = taps.argmax(axis=-1)
    if any(where.padding):  # where all of a window's image is −∞ too, padding took the tie
        image = np.ones((1, 1, *where.size), bool)
        inside = windows(pad(image, where.padding, value=False), where).reshape(1, 1, *where.output, -1)
        won_inside = np.take_along_axis(np.broadcast_to(inside, taps.shape), winner[..., None], axis=-1)[..., 0]
        winner = np.where(won_inside, winner, inside.argmax(axis=-1))
    y = np.take_along_axis(taps, winner[..., None], axis=-1)[..., 0]
    if gated:
        y, winner = np.maximum(y, 0), np.where(y > 0, winner, -1)
    return y, winner.astype(index)


def max_pool2d_backward(saved: Saved, dy: Array) -> Array:
    """Give each window's dy to the entry that won, adding up where one entry won several windows.

    dx[n,c,a,b] = Σ dy[n,c,i,j]  over the windows (i, j) whose maximum is at (a, b)
    """
    winner, where, dtype = saved
    dy = cotangent("max_pool2d", dy, winner.shape, dtype)
    twin = engines.twin("max_pool2d")
    if twin:
        return twin.backward(winner, where, dy)
    taps = np.arange(prod(where.kernel))
    routed = np.where(winner[..., None] == taps, dy[..., None], dtype.type(0))
    return fold(routed.reshape(*dy.shape, *where.kernel), where)
