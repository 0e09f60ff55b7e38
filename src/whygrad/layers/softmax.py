"""Softmax as a layer."""

from __future__ import annotations

from dataclasses import dataclass

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

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return softmax(x, axis=self.axis)
