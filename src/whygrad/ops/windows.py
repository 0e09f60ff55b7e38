"""Sliding windows: the geometry that convolutions and poolings share.

Output position (i, j) sees, through tap (r, s) of the window, the padded image at

    (i · stride + r · dilation,  j · stride + s · dilation).

``windows`` reads along that rule and ``fold`` adds back along it: each is the other's transpose
(⟨windows(x), v⟩ = ⟨x, fold(v)⟩), which is all that backpropagation needs to know about them.
Arithmetic of sizes: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016),
arXiv:1603.07285.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from whygrad.errors import OptionError, ShapeError
from whygrad.typing import Array, Pair, Sides
from whygrad.validation import flag, pair, whole

P = ParamSpec("P")
T = TypeVar("T")

FourSides = tuple[int, int, int, int]
Padding = Sides | Literal["same", "valid"]


class Geometry(NamedTuple):
    """Where the windows of one call lie. Every pair is (vertical, horizontal)."""

    size: tuple[int, int]  #: H, W of the image before padding
    kernel: tuple[int, int]  #: R, S
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: FourSides  #: top, bottom, left, right
    output: tuple[int, int]  #: I, J

    @property
    def before(self) -> tuple[int, int]:
        """Rows of padding above the image, columns to its left."""
        return self.padding[0], self.padding[2]

    @property
    def span(self) -> tuple[int, int]:
        """Height and width of what one window sees, from its first tap to its last."""
        return _span(self.kernel, self.dilation)

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the padded image."""
        top, bottom, left, right = self.padding
        return self.size[0] + top + bottom, self.size[1] + left + right


def remembered(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function remember its results for options that are plain numbers, words and tuples of whole numbers.

    Other options may be equal to these and yet to be refused, such as 2.0 to 2, and are passed on every time. What
    is passed by position are shapes and names, which nobody gives by hand.
    """
    remembering = lru_cache(maxsize=1024, typed=True)(function)

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        for value in options.values():
            if type(value) not in _PLAIN and (type(value) is not tuple or {*map(type, value)} != {int}):
                return function(*args, **options)
        return remembering(*args, **options)  # type: ignore[arg-type]

    return call


_PLAIN = {int, bool, str, type(None)}


@remembered
def geometry(
    op: str,
    size: tuple[int, int],
    kernel: Pair,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Geometry:
    """Resolve the options of a windowed operation on an image of ``size`` (H, W)."""
    kernel, stride = pair(op, "kernel_size", kernel), pair(op, "stride", stride)
    dilation = pair(op, "dilation", dilation)
    span = _span(kernel, dilation)
    sides, ceil_mode = _resolve(op, padding, size, span, stride), flag(op, "ceil_mode", ceil_mode)
    output, overhang = [], []
    for axis in (0, 1):
        room = size[axis] + sides[2 * axis] + sides[2 * axis + 1] - span[axis]
        if room < 0:
            raise ShapeError(
                op,
                f"a window no larger than the padded image of {size[0]}x{size[1]} with padding {sides}",
                f"a {kernel[0]}x{kernel[1]} window that spans {span[0]}x{span[1]}",
                "use a smaller kernel or dilation, more padding, or a larger image",
            )
        count = room // stride[axis] + 1
        # A last, partial window counts if it starts within the image or the padding before it.
        if ceil_mode and room % stride[axis] and count * stride[axis] < size[axis] + sides[2 * axis]:
            count += 1
        output.append(count)
        overhang.append(max(0, (count - 1) * stride[axis] - room))
    top, bottom, left, right = sides
    sides = (top, bottom + overhang[0], left, right + overhang[1])
    return Geometry(size, kernel, stride, dilation, sides, (output[0], output[1]))


def _span(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def four_sides(op: str, padding: Sides) -> FourSides:
    """Return (top, bottom, left, right) of a padding given as one, two or four whole numbers."""
    values = (padding,) if isinstance(padding, int | np.integer) else padding
    if not isinstance(values, tuple | list) or len(values) not in (1, 2, 4):
        expected = "padding as a whole number, (vertical, horizontal) or (top, bottom, left, right)"
        raise OptionError(op, expected, f"{padding!r}", "change padding")
    checked = [whole(op, "padding", value, 0) for value in values]
    vertical, horizontal = checked[0], checked[-1]
    if len(checked) == 4:
        return checked[0], checked[1], checked[2], checked[3]
    return vertical, vertical, horizontal, horizontal


def _resolve(
    op: str, padding: Padding, size: tuple[int, int], span: tuple[int, int], stride: tuple[int, int]
) -> FourSides:
    if isinstance(padding, str):
        if padding == "valid":
            return 0, 0, 0, 0
        if padding == "same":  # I = ceil(H / stride); an odd remainder goes to the bottom and right
            total = [
                max(0, (-(-n // step) - 1) * step + reach - n)
                for n, step, reach in zip(size, stride, span, strict=True)
            ]
            return total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2
        expected = 'padding as "same", "valid", a whole number, a pair or four sides'
        raise OptionError(op, expected, f"{padding!r}", "change padding")
    return four_sides(op, padding)


def check_padding(op: str, padding: Padding) -> None:
    """Refuse a padding that no image could have."""
    _resolve(op, padding, (1, 1), (1, 1), (1, 1))


def pad(x: npt.NDArray[Any], sides: FourSides, value: float = 0.0) -> npt.NDArray[Any]:
    """Return x with ``sides`` of ``value`` around its last two axes; x itself where there is nothing to add."""
    if not any(sides):
        return x
    top, bottom, left, right = sides
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def crop(x: Array, sides: FourSides) -> Array:
    """Return x without ``sides``, the transpose of ``pad``."""
    top, bottom, left, right = sides
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def windows(padded: Array, where: Geometry) -> Array:
    """Return the view (N, C, I, J, R, S) of a padded image: what tap (r, s) sees at position (i, j)."""
    everywhere = np.lib.stride_tricks.sliding_window_view(padded, where.span, axis=(2, 3))
    (v, h), (dv, dh) = where.stride, where.dilation
    return everywhere[:, :, ::v, ::h, ::dv, ::dh][:, :, : where.output[0], : where.output[1]]


def tap(where: Geometry, r: int, s: int) -> tuple[slice, slice]:
    """Return the rows and columns of the padded image that tap (r, s) sees, one for each output position."""
    rows, columns = (
        slice(start * d, start * d + step * (count - 1) + 1, step)
        for start, d, step, count in zip((r, s), where.dilation, where.stride, where.output, strict=True)
    )
    return rows, columns


def fold(values: Array, where: Geometry) -> Array:
    """Add values (N, C, I, J, R, S) up where ``windows`` read them, and cut the padding off: (N, C, H, W)."""
    padded = np.zeros(values.shape[:2] + where.padded, values.dtype)
    for r in range(where.kernel[0]):
        for s in range(where.kernel[1]):
            rows, columns = tap(where, r, s)
            padded[:, :, rows, columns] += values[..., r, s]
    return crop(padded, where.padding)


def check_windows_see_image(op: str, where: Geometry) -> None:
    """Refuse a padding that leaves some window nothing of the image, whose maximum would be −∞."""
    for axis, name in ((0, "rows"), (1, "columns")):
        before = where.padding[2 * axis]
        starts = np.arange(where.output[axis]) * where.stride[axis]
        at = starts[:, None] + np.arange(where.kernel[axis]) * where.dilation[axis] - before
        if not ((at >= 0) & (at < where.size[axis])).any(axis=1).all():
            expected = f"every window to see some of the image's {where.size[axis]} {name}"
            received = f"padding {where.padding} with a {where.kernel[0]}x{where.kernel[1]} window"
            raise OptionError(op, expected, received, "use less padding, at most half the window")
