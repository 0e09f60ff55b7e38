"""Average pooling: each window passes its mean on, and the gradient goes back in equal shares."""

from __future__ import annotations

from functools import partial
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
from whygrad.typing import Array, Pair, Pullback, Shape, Sides
from whygrad.validation import cotangent, flag, floats, rank


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    entries: Array  #: (I, J), how many entries each window's sum is divided by
    y_shape: Shape
    where: Geometry


def avg_pool2d(
    x: Array,
    *,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> tuple[Array, Pullback]:
    """Take the mean of each window.

        y[n,c,i,j] = 1/count[i,j] · Σ_r Σ_s  x̂[n, c, i·t + r, j·t + s]

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        kernel_size: R, S as one number or (vertical, horizontal).
        stride: step between windows; the kernel size if None.
        padding: zeros around the image: one number, (vertical, horizontal) or (top, bottom, left, right).
        ceil_mode: let a last window hang over the edge where a row or column would be left out. What it sees
            beyond the padded image is never counted.
        count_include_pad: count the padding, so that count = R·S; otherwise count what lies in the image.

    Returns:
        y (N, C, I, J) and the pullback dy → dx.

    Raises:
        ShapeError: x without four axes, or a window larger than the padded image.
        DTypeError: integers.
        OptionError: an option outside its domain, or padding so wide that a window sees nothing else.

    Example:
        >>> x = np.array([[1., 2.], [3., 6.]])[None, None]
        >>> y, pullback = avg_pool2d(x, kernel_size=2)
        >>> y
        array([[[[3.]]]])
        >>> pullback(np.full((1, 1, 1, 1), 4.))[0, 0]
        array([[1., 1.],
               [1., 1.]])

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition" (1998), whose subsampling
    layers these are without the trained factor; counting rules of ONNX's AveragePool.
    """
    (x,) = floats("avg_pool2d", x=x)
    rank("avg_pool2d", "x", x, "(N, C, H, W)")
    where, counts = _geometry(
        x.shape[2:],
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )
    entries = counts[x.dtype]
    twin = engines.twin("avg_pool2d")
    if twin:
        y = twin.forward(x, entries, where)
    else:
        y = windows(pad(x, where.padding), where).sum(axis=(4, 5)) / entries
    return y, partial(avg_pool2d_backward, Saved(entries, y.shape, where))


@remembered
def _geometry(
    size: tuple[int, int],
    *,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Sides,
    ceil_mode: bool,
    count_include_pad: bool,
) -> tuple[Geometry, dict[np.dtype[Any], Array]]:
    """Return where the windows lie, and for each dtype how many entries each of them counts."""
    stride, sides = kernel_size if stride is None else stride, four_sides("avg_pool2d", padding)
    count_include_pad = flag("avg_pool2d", "count_include_pad", count_include_pad)
    where = geometry("avg_pool2d", size, kernel=kernel_size, stride=stride, padding=sides, ceil_mode=ceil_mode)
    check_windows_see_image("avg_pool2d", where)
    counted = geometry("avg_pool2d", size, kernel=kernel_size, stride=stride, padding=sides).padded
    entries = _count(where, counted if count_include_pad else None)
    return where, {np.dtype(real): entries.astype(real) for real in (np.float32, np.float64)}


def avg_pool2d_backward(saved: Saved, dy: Array) -> Array:
    """Give every entry of a window its share of dy.

    dx[n,c,a,b] = Σ dy[n,c,i,j] / count[i,j]  over the windows (i, j) that see (a, b)
    """
    entries, y_shape, where = saved
    dy = cotangent("avg_pool2d", dy, y_shape, entries.dtype)
    twin = engines.twin("avg_pool2d")
    if twin:
        return twin.backward(entries, where, dy)
    share = (dy / entries)[..., None, None]
    return fold(np.broadcast_to(share, (*y_shape, *where.kernel)), where)


def _count(where: Geometry, padded: tuple[int, int] | None) -> Array:
    """Return (I, J): how many entries of the image, or of an image ``padded`` to that size, a window sees."""
    per_axis = []
    for axis in (0, 1):
        before = where.padding[2 * axis]
        low, high = (before, before + where.size[axis]) if padded is None else (0, padded[axis])
        starts = np.arange(where.output[axis]) * where.stride[axis]
        ends = np.minimum(starts + where.kernel[axis], high)
        per_axis.append(ends - np.maximum(starts, low))
    return np.multiply.outer(per_axis[0], per_axis[1])
