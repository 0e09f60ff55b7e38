"""Clipping as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from whygrad.layers.layer import Unary
from whygrad.ops.clip import clip
from whygrad.typing import Array, Pullback
from whygrad.validation import number


@dataclass(frozen=True, repr=False)
class Clip(Unary):
    """Entries cut off below and above; the formula stands in :func:`whygrad.ops.clip`.

    Args:
        low: the least value.
        high: the greatest value.

    Example:
        >>> Clip(0, 6).output_shape((3, 4, 4))
        (3, 4, 4)
    """

    low: float = -inf
    high: float = inf

    def __post_init__(self) -> None:
        number("Clip", "low", self.low, -inf, inf)
        number("Clip", "high", self.high, -inf, inf)

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return clip(x, low=self.low, high=self.high)
