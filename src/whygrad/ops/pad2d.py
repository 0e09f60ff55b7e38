"""Padding: rows and columns around an image."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError, ShapeError
from whygrad.ops.windows import four_sides
from whygrad.typing import Array, IntArray, Pullback, Shape, Sides
from whygrad.validation import cotangent, floats, number, rank

PadMode = Literal["constant", "reflect", "replicate"]


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    rows: IntArray  #: for each row of y the row of x that it shows, or −1
    columns: IntArray  #: likewise
    x_shape: Shape
    dtype: np.dtype[Any]


def pad2d(x: Array, *, padding: Sides, mode: PadMode = "constant", value: float = 0.0) -> tuple[Array, Pullback]:
    """Put rows and columns around each image.

        y[n,c,i,j] = x[n, c, rows[i], columns[j]],  or ``value`` where there is no such row or column

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        padding: one number, (vertical, horizontal) or (top, bottom, left, right).
        mode: "constant" writes ``value``; "reflect" mirrors at the outermost pixels without repeating them;
            "replicate" repeats the outermost pixels.
        value: what "constant" writes, a number that the dtype of x can hold, or infinity.

    Returns:
        y (N, C, top + H + bottom, left + W + right) and the pullback dy → dx.

    Raises:
        ShapeError: x without four axes, or too small to reflect or replicate.
        DTypeError: integers.
        OptionError: an option outside its domain.

    Example:
        >>> y, pullback = pad2d(np.array([[1., 2., 3.]])[None, None], padding=(0, 0, 2, 1), mode="reflect")
        >>> y[0, 0]
        array([[3., 2., 1., 2., 3., 2.]])
        >>> pullback(np.ones_like(y))[0, 0]
        array([[1., 3., 2.]])

    Source: the modes of ONNX's Pad.
    """
    (x,) = floats("pad2d", x=x)
    rank("pad2d", "x", x, "(N, C, H, W)")
    check_mode("pad2d", mode)
    top, bottom, left, right = four_sides("pad2d", padding)
    if value not in (-np.inf, np.inf):
        value = number("pad2d", "value", value, float(np.finfo(x.dtype).min), float(np.finfo(x.dtype).max))
    rows = _source(x.shape[2], top, bottom, mode)
    columns = _source(x.shape[3], left, right, mode)
    twin = engines.twin("pad2d")
    if twin:
        y = twin.forward(x, rows, columns, value)
    elif mode == "constant":
        widths = ((0, 0), (0, 0), (top, bottom), (left, right))
        y = np.pad(x, widths, constant_values=value)
    else:
        y = x[:, :, rows[:, None], columns]
    return y, partial(pad2d_backward, Saved(rows, columns, x.shape, x.dtype))


def pad2d_backward(saved: Saved, dy: Array) -> Array:
    """Add up dy over every place that shows the same pixel; what shows no pixel goes nowhere.

    dx[n,c,a,b] = Σ dy[n,c,i,j]  over all i with rows[i] = a and j with columns[j] = b
    """
    rows, columns, x_shape, dtype = saved
    dy = cotangent("pad2d", dy, (*x_shape[:2], len(rows), len(columns)), dtype)
    twin = engines.twin("pad2d")
    if twin:
        return twin.backward(rows, columns, x_shape, dy)
    dx = np.zeros(x_shape, dtype)
    into_columns = np.zeros((*x_shape[:2], len(rows), x_shape[3]), dtype)
    for j, column in enumerate(columns):
        if column >= 0:
            into_columns[..., column] += dy[..., j]
    for i, row in enumerate(rows):
        if row >= 0:
            dx[:, :, row] += into_columns[:, :, i]
    return dx


@lru_cache(maxsize=1024)
def _source(size: int, before: int, after: int, mode: PadMode) -> IntArray:
    """Return, for each row of the padded image, the row of the image that it shows, or −1."""
    if mode == "constant":
        return np.pad(np.arange(size), (before, after), constant_values=-1)
    check_room("pad2d", size, before, after, mode)
    return np.pad(np.arange(size), (before, after), mode="reflect" if mode == "reflect" else "edge")


def check_mode(op: str, mode: str) -> None:
    """Refuse a mode that there is not."""
    if mode not in get_args(PadMode):
        raise OptionError(op, 'mode "constant", "reflect" or "replicate"', f"{mode!r}", "change mode")


def check_room(op: str, size: int, before: int, after: int, mode: PadMode) -> None:
    """Refuse to mirror or repeat more pixels than there are."""
    least = {"constant": 0, "replicate": 1, "reflect": max(before, after) + 1}[mode]
    if size < least:
        remedy = f"pad less than {size}" if mode == "reflect" else "check the layers before"
        raise ShapeError(op, f"at least {least} pixels to {mode}", f"{size}", remedy)
