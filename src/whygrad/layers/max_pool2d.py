"""Max-pooling as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Fitted, Unary, image_shape
from whygrad.ops.max_pool2d import max_pool2d, max_pool2d_for, max_pool2d_relu
from whygrad.ops.windows import four_sides, geometry
from whygrad.typing import Array, Pair, Pullback, Shape, Sides
from whygrad.validation import flag, pair


@dataclass(frozen=True, repr=False)
class MaxPool2d(Unary):
    """The largest entry of each window; the formula stands in :func:`whygrad.ops.max_pool2d`.

    Args:
        kernel_size: R, S as one number or (vertical, horizontal).
        stride: step between windows; the kernel size if None.
        padding: −∞ around the image.
        dilation: distance between the taps of a window.
        ceil_mode: let a last window hang over the edge.

    Example:
        >>> MaxPool2d(2).output_shape((6, 28, 28))
        (6, 14, 14)
    """

    kernel_size: Pair
    stride: Pair | None = None
    padding: Sides = 0
    dilation: Pair = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        pair("MaxPool2d", "kernel_size", self.kernel_size)
        if self.stride is not None:
            pair("MaxPool2d", "stride", self.stride)
        four_sides("MaxPool2d", self.padding)
        flag("MaxPool2d", "ceil_mode", self.ceil_mode)

    def output_shape(self, *shapes: Shape) -> Shape:
        channels, height, width = image_shape("max_pool2d", shapes[0])
        where = geometry(
            "max_pool2d",
            (height, width),
            kernel=self.kernel_size,
            stride=self.kernel_size if self.stride is None else self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )
        return (channels, *where.output)

    def fitted(self, shape: Shape) -> Fitted | None:
        if type(self) not in (MaxPool2d, Gated) or len(shape) != 4:
            return None
        return max_pool2d_for(
            (shape[2], shape[3]),
            gated=isinstance(self, Gated),
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return (max_pool2d_relu if isinstance(self, Gated) else max_pool2d)(
            x,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )


class Gated(MaxPool2d):
    """A ReLU and the max-pooling after it, the other way round."""
