"""The rectified linear unit as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.layers.layer import Unary
from whygrad.ops.relu import relu
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class ReLU(Unary):
    """The rectified linear unit; the formula stands in :func:`whygrad.ops.relu`.

    Example:
        >>> ReLU().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return relu(x)
