"""Padding as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary, image_shape
from whygrad.ops.pad2d import PadMode, check_mode, check_room, pad2d
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
        check_mode("Pad2d", self.mode)

    def output_shape(self, *shapes: Shape) -> Shape:
        channels, height, width = image_shape("pad2d", shapes[0])
        top, bottom, left, right = four_sides("Pad2d", self.padding)
        check_room("pad2d", height, top, bottom, self.mode)
        check_room("pad2d", width, left, right, self.mode)
        return (channels, top + height + bottom, left + width + right)

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return pad2d(x, padding=self.padding, mode=self.mode, value=self.value)
