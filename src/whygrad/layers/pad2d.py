"""Padding as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.pad2d import PadMode, pad2d
from whygrad.ops.windows import four_sides
from whygrad.typing import Array, Pullback, Shape, Sides


@dataclass(frozen=True, repr=False)
class Pad2d(Unary):
    """Rows and columns around each image; the modes stand in :func:`whygrad.ops.pad2d`.

    Args:
        padding: one number, (vertical, horizontal) or (top, bottom, left, right).
        mode: "constant", "reflect" or "replicate".
        value: what "constant" writes.

    Example:
        >>> Pad2d((1, 0, 2, 2)).output_shape((3, 4, 4))
        (3, 5, 8)
    """

    padding: Sides
    mode: PadMode = "constant"
    value: float = 0.0

    def __post_init__(self) -> None:
        four_sides("Pad2d", self.padding)

    def output_shape(self, *shapes: Shape) -> Shape:
        (channels, height, width) = shapes[0]
        top, bottom, left, right = four_sides("Pad2d", self.padding)
        return (channels, top + height + bottom, left + width + right)

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return pad2d(x, padding=self.padding, mode=self.mode, value=self.value)
