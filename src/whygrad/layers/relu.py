"""The rectified linear unit as a layer."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from whygrad.layers.layer import Fitted, Layer, Unary
from whygrad.layers.max_pool2d import Gated, MaxPool2d
from whygrad.ops.relu import relu, relu_for
from whygrad.typing import Array, Pullback, Shape


@dataclass(frozen=True, repr=False)
class ReLU(Unary):
    """The rectified linear unit; the formula stands in :func:`whygrad.ops.relu`.

    Example:
        >>> ReLU().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    def joined(self, after: Layer) -> Layer | None:
        if type(self) is ReLU and type(after) is MaxPool2d:
            return Gated(*astuple(after))
        return None

    def fitted(self, shape: Shape) -> Fitted | None:
        return relu_for if type(self) is ReLU else None

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return relu(x)
