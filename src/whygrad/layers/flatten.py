"""Flattening as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from whygrad.layers.layer import Fitted, Unary
from whygrad.ops.flatten import flatten, flatten_for
from whygrad.typing import Array, Pullback, Shape


@dataclass(frozen=True, repr=False)
class Flatten(Unary):
    """One row of numbers for each sample; the order stands in :func:`whygrad.ops.flatten`.

    Example:
        >>> Flatten().output_shape((16, 5, 5))
        (400,)
    """

    def output_shape(self, *shapes: Shape) -> Shape:
        return (prod(shapes[0]),)

    def fitted(self, shape: Shape) -> Fitted | None:
        return flatten_for if type(self) is Flatten and shape else None

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return flatten(x)
