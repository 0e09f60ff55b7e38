"""Transposed convolution as a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.errors import OptionError
from whygrad.initializers import Initializer, he_normal, zeros
from whygrad.layers.conv2d import bias_shape
from whygrad.layers.layer import LayerResult, OneInput, Parameter, by_name, image_shape
from whygrad.ops.conv_transpose2d import conv_transpose2d, transposed_geometry
from whygrad.ops.windows import four_sides
from whygrad.typing import Array, Pair, Params, Shape, Sides
from whygrad.validation import pair, whole


@dataclass(frozen=True, repr=False)
class ConvTranspose2d(OneInput):
    """Kernels laid down at every input position; the formula stands in :func:`whygrad.ops.conv_transpose2d`.

    Args:
        in_channels: C of the images.
        out_channels: F of the output.
        kernel_size: R, S as one number or (vertical, horizontal).
        stride: distance between the kernels laid down.
        padding: what is cut off the sides: a number, a pair or four sides.
        output_padding: rows and columns added at the bottom and right.
        dilation: distance between the taps of the kernel.
        groups: number of groups that the channels are divided into.
        bias: True for one a channel, (I, J) for one at each output position, False for none.
        weight_init: how the weights start.
        bias_init: how the biases start.

    Parameters: ``weight`` (C, F/groups, R, S) and, with a bias, ``bias`` (F,) or (F, I, J).

    Example:
        >>> ConvTranspose2d(8, 4, 4, stride=2, padding=1).output_shape((8, 7, 7))
        (4, 14, 14)
    """

    in_channels: int
    out_channels: int
    kernel_size: Pair
    stride: Pair = 1
    padding: Sides = 0
    output_padding: Pair = 0
    dilation: Pair = 1
    groups: int = 1
    bias: bool | tuple[int, int] = True
    weight_init: Initializer = he_normal
    bias_init: Initializer = zeros

    def __post_init__(self) -> None:
        op = "ConvTranspose2d"
        channels = (
            whole(op, "in_channels", self.in_channels, 1),
            whole(op, "out_channels", self.out_channels, 1),
        )
        groups = whole(op, "groups", self.groups, 1)
        for name in ("kernel_size", "stride", "dilation"):
            pair(op, name, getattr(self, name))
        pair(op, "output_padding", self.output_padding, 0)
        four_sides(op, self.padding)
        bias_shape(op, self.out_channels, self.bias)
        if channels[0] % groups or channels[1] % groups:
            expected = f"groups that divide {channels[0]} and {channels[1]} channels"
            raise OptionError(op, expected, f"groups={groups}", "change groups or the number of channels")

    def parameters(self) -> dict[str, Parameter]:
        kernel = pair("ConvTranspose2d", "kernel_size", self.kernel_size)
        shape = (self.in_channels, self.out_channels // self.groups, *kernel)
        weight = Parameter(shape, self.weight_init)
        if self.bias is False:
            return {"weight": weight}
        bias = bias_shape("ConvTranspose2d", self.out_channels, self.bias)
        return {"weight": weight, "bias": Parameter(bias, self.bias_init)}

    def output_shape(self, *shapes: Shape) -> Shape:
        _, height, width = image_shape("conv_transpose2d", shapes[0], self.in_channels)
        kernel = pair("ConvTranspose2d", "kernel_size", self.kernel_size)
        where = transposed_geometry(
            (height, width), kernel, self.stride, self.padding, self.output_padding, self.dilation
        )
        return (self.out_channels, *where.size)

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        y, pullback = conv_transpose2d(
            x,
            own["weight"],
            own.get("bias"),
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y, by_name(pullback, "weight", "bias", skips=True), {}
