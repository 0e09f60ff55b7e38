"""The exponential linear unit as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.elu import elu
from whygrad.typing import Array, Pullback
from whygrad.validation import number


@dataclass(frozen=True, repr=False)
class ELU(Unary):
    """The exponential linear unit; the formula stands in :func:`whygrad.ops.elu`.

    Args:
        alpha: minus the value far below zero.

    Example:
        >>> ELU().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        number("ELU", "alpha", self.alpha, 0.0, 1e30)

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return elu(x, alpha=self.alpha)
