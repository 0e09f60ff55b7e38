"""Softmax as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.errors import OptionError
from whygrad.layers.layer import Unary
from whygrad.ops.softmax import softmax
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class Softmax(Unary):
    """Softmax; the formula stands in :func:`whygrad.ops.softmax`.

    Args:
        axis: the class axis, counted with the batch axis.

    Example:
        >>> Softmax().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    axis: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.axis, bool) or not isinstance(self.axis, int):
            raise OptionError("Softmax", "axis as a whole number", f"{self.axis!r}", "change axis")

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return softmax(x, axis=self.axis)
