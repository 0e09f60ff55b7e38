"""The leaky rectified linear unit as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.leaky_relu import leaky_relu
from whygrad.typing import Array, Pullback
from whygrad.validation import number


@dataclass(frozen=True, repr=False)
class LeakyReLU(Unary):
    """The leaky rectified linear unit; the formula stands in :func:`whygrad.ops.leaky_relu`.

    Args:
        negative_slope: slope of the negative side.

    Example:
        >>> LeakyReLU().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        number("LeakyReLU", "negative_slope", self.negative_slope, -1e30, 1e30)

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return leaky_relu(x, negative_slope=self.negative_slope)
