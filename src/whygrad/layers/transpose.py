"""Transposition as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.errors import ShapeError
from whygrad.layers.layer import Unary
from whygrad.ops.transpose import check_axes, transpose
from whygrad.typing import Array, Pullback, Shape


@dataclass(frozen=True, repr=False)
class Transpose(Unary):
    """The axes of every sample in another order; the rule stands in :func:`whygrad.ops.transpose`.

    Args:
        axes: 0, which is the batch axis, and then every other axis once.

    Example:
        >>> Transpose((0, 2, 3, 1)).output_shape((3, 4, 5))
        (4, 5, 3)
    """

    axes: tuple[int, ...]

    def __post_init__(self) -> None:
        check_axes("Transpose", self.axes)

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(self.axes) != len(shapes[0]) + 1:
            expected = f"samples of {len(self.axes) - 1} axes"
            raise ShapeError("transpose", expected, f"{shapes[0]}", "name every axis once, the batch axis first")
        return tuple(shapes[0][axis - 1] for axis in self.axes[1:])

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return transpose(x, axes=self.axes)
