"""Multiplication as a layer: where one branch gates another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.errors import ShapeError
from whygrad.layers.layer import Layer, LayerResult, of_inputs
from whygrad.ops.mul import mul
from whygrad.typing import Array, Params, Shape


@dataclass(frozen=True, repr=False)
class Mul(Layer):
    """The product of two inputs, the second of which may have size 1 in places: :func:`whygrad.ops.mul`.

    Example:
        >>> Mul().output_shape((3, 4, 4), (3, 1, 1))
        (3, 4, 4)
    """

    def output_shape(self, *shapes: Shape) -> Shape:
        fits = len(shapes) == 2 and len(shapes[0]) == len(shapes[1])
        if not fits or any(n not in (1, m) for m, n in zip(*shapes, strict=True)):
            remedy = "make both branches end in one shape, or the gate in one with 1 in places"
            expected = "two inputs, the second of the first's shape or with 1 in places"
            raise ShapeError("mul", expected, ", ".join(map(str, shapes)), remedy)
        return shapes[0]

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        if len(inputs) != 2:
            raise ShapeError("mul", "two inputs", f"{len(inputs)}", "name both inputs of the node")
        y, pullback = mul(*inputs)
        return y, of_inputs(pullback), {}
