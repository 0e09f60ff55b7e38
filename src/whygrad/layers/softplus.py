"""Softplus as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.softplus import softplus
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class Softplus(Unary):
    """Softplus; the formula stands in :func:`whygrad.ops.softplus`.

    Example:
        >>> Softplus().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return softplus(x)
