"""The sigmoid linear unit as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.silu import silu
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class SiLU(Unary):
    """The sigmoid linear unit; the formula stands in :func:`whygrad.ops.silu`.

    Example:
        >>> SiLU().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return silu(x)
