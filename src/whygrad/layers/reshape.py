"""Reshaping as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.reshape import check_entries, check_shape, reshape
from whygrad.typing import Array, Pullback, Shape


@dataclass(frozen=True, repr=False)
class Reshape(Unary):
    """Every sample in another shape; the order of its entries stands in :func:`whygrad.ops.reshape`.

    Args:
        shape: of one sample, without the batch axis.

    Example:
        >>> Reshape((2, 8, 4)).output_shape((16, 4))
        (2, 8, 4)
    """

    shape: Shape

    def __post_init__(self) -> None:
        check_shape("Reshape", self.shape)

    def output_shape(self, *shapes: Shape) -> Shape:
        check_entries(shapes[0], self.shape)
        return self.shape

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return reshape(x, shape=self.shape)
