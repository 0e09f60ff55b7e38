"""Convolution as a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.errors import OptionError
from whygrad.initializers import Initializer, he_normal, zeros
from whygrad.layers.layer import Fitted, LayerResult, OneInput, Parameter, by_name, image_shape
from whygrad.ops.conv2d import check_groups, conv2d, conv2d_for
from whygrad.ops.windows import Padding, check_padding, geometry
from whygrad.typing import Array, Pair, Params, Shape
from whygrad.validation import pair, whole


@dataclass(frozen=True, repr=False)
class Conv2d(OneInput):
    """A bank of ``out_channels`` filters; the formula stands in :func:`whygrad.ops.conv2d`.

    Args:
        in_channels: C of the images.
        out_channels: F of the output.
        kernel_size: R, S as one number or (vertical, horizontal).
        stride: step between windows.
        padding: zeros around the image: a number, a pair, four sides, "same" or "valid".
        dilation: distance between the taps of the kernel.
        groups: number of groups that the channels are divided into.
        bias: True for one a channel, (I, J) for one at each output position, False for none.
        weight_init: how the weights start.
        bias_init: how the biases start.

    Parameters: ``weight`` (F, C/groups, R, S) and, with a bias, ``bias`` (F,) or (F, I, J).

    Example:
        >>> layer = Conv2d(1, 6, 5, padding=2)
        >>> layer.output_shape((1, 28, 28))
        (6, 28, 28)
        >>> {name: array.shape for name, array in layer.init(np.random.default_rng(0)).items()}
        {'weight': (6, 1, 5, 5), 'bias': (6,)}
    """

    in_channels: int
    out_channels: int
    kernel_size: Pair
    stride: Pair = 1
    padding: Padding = 0
    dilation: Pair = 1
    groups: int = 1
    bias: bool | tuple[int, int] = True
    weight_init: Initializer = he_normal
    bias_init: Initializer = zeros

    def __post_init__(self) -> None:
        whole("Conv2d", "in_channels", self.in_channels, 1)
        whole("Conv2d", "out_channels", self.out_channels, 1)
        for name in ("kernel_size", "stride", "dilation"):
            pair("Conv2d", name, getattr(self, name))
        check_padding("Conv2d", self.padding)
        whole("Conv2d", "groups", self.groups, 1)
        bias_shape("Conv2d", self.out_channels, self.bias)
        weight = (self.out_channels, self.in_channels // self.groups, 0, 0)
        check_groups("Conv2d", self.in_channels, weight, self.groups)

    def parameters(self) -> dict[str, Parameter]:
        kernel = pair("Conv2d", "kernel_size", self.kernel_size)
        shape = (self.out_channels, self.in_channels // self.groups, *kernel)
        weight = Parameter(shape, self.weight_init)
        if self.bias is False:
            return {"weight": weight}
        return {
            "weight": weight,
            "bias": Parameter(bias_shape("Conv2d", self.out_channels, self.bias), self.bias_init),
        }

    def output_shape(self, *shapes: Shape) -> Shape:
        _, height, width = image_shape("conv2d", shapes[0], self.in_channels)
        where = geometry(
            "conv2d",
            (height, width),
            kernel=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )
        return (self.out_channels, *where.output)

    def fitted(self, shape: Shape) -> Fitted | None:
        if type(self) is not Conv2d or len(shape) != 4:
            return None
        return conv2d_for(
            shape[1:],
            self.shapes["weight"],
            self.shapes.get("bias"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        y, pullback = conv2d(
            x,
            own["weight"],
            own.get("bias"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y, by_name(pullback, "weight", "bias", skips=True), {}


def bias_shape(layer: str, channels: int, bias: bool | tuple[int, int]) -> Shape:
    """Return (F,) for a bias per channel and (F, I, J) for one per output position."""
    if isinstance(bias, bool):
        return (channels,)
    if not isinstance(bias, tuple):
        raise OptionError(layer, "bias as True, False or (I, J)", f"{bias!r}", "change bias")
    return (channels, *pair(layer, "bias", bias))
