"""What rearranges entries, and what joins values."""

from __future__ import annotations

import numpy as np

from whygrad.interop.onnx.script import Script, Written
from whygrad.layers import (
    Add,
    Concat,
    Dropout,
    Flatten,
    Linear,
    Mul,
    Pad2d,
    Reshape,
    Scale,
    Take2d,
    Transpose,
    UpsampleNearest2d,
)
from whygrad.ops.windows import four_sides
from whygrad.validation import pair


def linear(layer: Linear, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Gemm."""
    return script.node("Gemm", x.name, *own.values(), transB=1)


def flatten(layer: Flatten, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Flatten."""
    return script.node("Flatten", x.name, axis=1)


def reshape(layer: Reshape, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Reshape, whose 0 keeps the size of the batch."""
    return script.node("Reshape", x.name, script.integers("shape", (0, *layer.shape)))


def transpose(layer: Transpose, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Transpose."""
    return script.node("Transpose", x.name, perm=layer.axes)


def take2d(layer: Take2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Gather for each axis along which something is left out or moved."""
    name = x.name
    for axis, places in ((2, layer.vertical), (3, layer.horizontal)):
        if places != tuple(range(x.shape[axis - 1])):
            name = script.node("Gather", name, script.integers("places", places), axis=axis)
    return name if name != x.name else script.node("Identity", x.name)


def pad2d(layer: Pad2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Pad."""
    top, bottom, left, right = four_sides("Pad2d", layer.padding)
    sides = script.integers("pads", (0, 0, top, left, 0, 0, bottom, right))
    if layer.mode == "constant":
        return script.node("Pad", x.name, sides, script.number("value", layer.value), mode="constant")
    return script.node("Pad", x.name, sides, mode={"reflect": "reflect", "replicate": "edge"}[layer.mode])


def upsample_nearest2d(layer: UpsampleNearest2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Resize."""
    v, h = pair("UpsampleNearest2d", "scale_factor", layer.scale_factor)
    scales = script.constant("scales", np.array([1, 1, v, h], np.float32))
    return script.node(
        "Resize", x.name, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip


def dropout(layer: Dropout, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Dropout, which others leave out when they do not train."""
    return script.node("Dropout", x.name, script.constant("ratio", np.array(layer.p, np.float32)))


def scale(layer: Scale, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Mul, and Add for a bias."""
    name = script.node("Mul", x.name, own["weight"])
    return script.node("Add", name, own["bias"]) if "bias" in own else name


def add(layer: Add, own: dict[str, str], script: Script, *inputs: Written) -> str:
    """Write Add."""
    return script.node("Add", *(value.name for value in inputs))


def mul(layer: Mul, own: dict[str, str], script: Script, *inputs: Written) -> str:
    """Write Mul."""
    return script.node("Mul", *(value.name for value in inputs))


def concat(layer: Concat, own: dict[str, str], script: Script, *inputs: Written) -> str:
    """Write Concat."""
    return script.node("Concat", *(value.name for value in inputs), axis=layer.axis)
