"""The logistic sigmoid as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.sigmoid import sigmoid
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class Sigmoid(Unary):
    """The logistic sigmoid; the formula stands in :func:`whygrad.ops.sigmoid`.

    Example:
        >>> Sigmoid().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return sigmoid(x)
