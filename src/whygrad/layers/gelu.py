"""The Gaussian error linear unit as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from whygrad.errors import OptionError
from whygrad.layers.layer import Unary
from whygrad.ops.gelu import gelu
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class GELU(Unary):
    """The Gaussian error linear unit; the formula stands in :func:`whygrad.ops.gelu`.

    Args:
        approximate: "none" for the exact unit, "tanh" for its approximation.

    Example:
        >>> GELU().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    approximate: Literal["none", "tanh"] = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise OptionError("GELU", 'approximate "none" or "tanh"', f"{self.approximate!r}", "change approximate")

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return gelu(x, approximate=self.approximate)
