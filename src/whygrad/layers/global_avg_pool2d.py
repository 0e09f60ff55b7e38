"""Global average pooling as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary, image_shape
from whygrad.ops.global_avg_pool2d import global_avg_pool2d
from whygrad.typing import Array, Pullback, Shape


@dataclass(frozen=True, repr=False)
class GlobalAvgPool2d(Unary):
    """One mean for each channel; the formula stands in :func:`whygrad.ops.global_avg_pool2d`.

    Example:
        >>> GlobalAvgPool2d().output_shape((64, 8, 8))
        (64, 1, 1)
    """

    def output_shape(self, *shapes: Shape) -> Shape:
        return (image_shape("global_avg_pool2d", shapes[0])[0], 1, 1)

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return global_avg_pool2d(x)
