"""Convolutions and poolings."""

from __future__ import annotations

from typing import Any

from whygrad.interop.onnx.script import Script, Written
from whygrad.layers import AvgPool2d, Conv2d, ConvTranspose2d, GlobalAvgPool2d, MaxPool2d
from whygrad.ops.windows import FourSides, four_sides, geometry
from whygrad.validation import pair


def conv2d(layer: Conv2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Conv, and Add for a bias at each output position."""
    where = geometry(
        "conv2d", (x.shape[1], x.shape[2]), kernel=layer.kernel_size, stride=layer.stride, padding=layer.padding,
        dilation=layer.dilation,
    )  # fmt: skip
    options = {
        "kernel_shape": where.kernel, "strides": where.stride, "dilations": where.dilation,
        "pads": _pads(where.padding), "group": layer.groups,
    }  # fmt: skip
    return _with_bias(layer, own, script, lambda *inputs: script.node("Conv", x.name, *inputs, **options))


def conv_transpose2d(layer: ConvTranspose2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write ConvTranspose, and Add for a bias at each output position."""
    op = "ConvTranspose2d"
    options = {
        "kernel_shape": pair(op, "kernel_size", layer.kernel_size), "strides": pair(op, "stride", layer.stride),
        "dilations": pair(op, "dilation", layer.dilation), "pads": _pads(four_sides(op, layer.padding)),
        "output_padding": pair(op, "output_padding", layer.output_padding, 0), "group": layer.groups,
    }  # fmt: skip
    return _with_bias(layer, own, script, lambda *inputs: script.node("ConvTranspose", x.name, *inputs, **options))


def _with_bias(layer: Conv2d | ConvTranspose2d, own: dict[str, str], script: Script, write: Any) -> str:
    inputs = list(own.values())
    if not isinstance(layer.bias, tuple):
        return str(write(*inputs))
    return script.node("Add", str(write(inputs[0])), inputs[1])


def max_pool2d(layer: MaxPool2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write MaxPool; a window that hangs over the edge sees −∞ there, as in any padding."""
    where = geometry(
        "max_pool2d", (x.shape[1], x.shape[2]), kernel=layer.kernel_size,
        stride=layer.kernel_size if layer.stride is None else layer.stride, padding=layer.padding,
        dilation=layer.dilation, ceil_mode=layer.ceil_mode,
    )  # fmt: skip
    return script.node(
        "MaxPool", x.name, kernel_shape=where.kernel, strides=where.stride, dilations=where.dilation,
        pads=_pads(where.padding),
    )  # fmt: skip


def avg_pool2d(layer: AvgPool2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write AveragePool; padding that counts is written first, since what hangs over the edge never counts."""
    stride = layer.kernel_size if layer.stride is None else layer.stride
    where = geometry(
        "avg_pool2d", (x.shape[1], x.shape[2]), kernel=layer.kernel_size, stride=stride, padding=layer.padding,
        ceil_mode=layer.ceil_mode,
    )  # fmt: skip
    pads, name = where.padding, x.name
    counted = four_sides("avg_pool2d", layer.padding)
    if layer.count_include_pad and any(counted) and pads != counted:
        sides = script.integers("pads", (0, 0, counted[0], counted[2], 0, 0, counted[1], counted[3]))
        name = script.node("Pad", x.name, sides)
        pads = (0, pads[1] - counted[1], 0, pads[3] - counted[3])
    include = int(layer.count_include_pad and name == x.name and pads == counted)
    return script.node(
        "AveragePool", name, kernel_shape=where.kernel, strides=where.stride, pads=_pads(pads),
        count_include_pad=include,
    )  # fmt: skip


def global_avg_pool2d(layer: GlobalAvgPool2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write GlobalAveragePool."""
    return script.node("GlobalAveragePool", x.name)


def _pads(sides: FourSides) -> tuple[int, int, int, int]:
    """Return ONNX's (top, left, bottom, right)."""
    top, bottom, left, right = sides
    return top, left, bottom, right
