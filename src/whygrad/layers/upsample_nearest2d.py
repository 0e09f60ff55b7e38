"""Nearest-neighbour upsampling as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary, image_shape
from whygrad.ops.upsample_nearest2d import upsample_nearest2d
from whygrad.typing import Array, Pair, Pullback, Shape
from whygrad.validation import pair


@dataclass(frozen=True, repr=False)
class UpsampleNearest2d(Unary):
    """Every pixel repeated in a block; the formula stands in :func:`whygrad.ops.upsample_nearest2d`.

    Args:
        scale_factor: the size of a block, one whole number or (vertical, horizontal).

    Example:
        >>> UpsampleNearest2d(2).output_shape((3, 4, 5))
        (3, 8, 10)
    """

    scale_factor: Pair = 2

    def __post_init__(self) -> None:
        pair("UpsampleNearest2d", "scale_factor", self.scale_factor)

    def output_shape(self, *shapes: Shape) -> Shape:
        channels, height, width = image_shape("upsample_nearest2d", shapes[0])
        v, h = pair("UpsampleNearest2d", "scale_factor", self.scale_factor)
        return (channels, height * v, width * h)

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return upsample_nearest2d(x, scale_factor=self.scale_factor)
