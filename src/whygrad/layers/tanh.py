"""The hyperbolic tangent as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.tanh import tanh
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class Tanh(Unary):
    """The hyperbolic tangent; the formula stands in :func:`whygrad.ops.tanh`.

    Example:
        >>> Tanh().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return tanh(x)
