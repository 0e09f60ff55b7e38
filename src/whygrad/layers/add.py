"""Addition as a layer: where two branches meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.errors import ShapeError
from whygrad.layers.layer import Layer, LayerResult, of_inputs
from whygrad.ops.add import add
from whygrad.typing import Array, Params, Shape


@dataclass(frozen=True, repr=False)
class Add(Layer):
    """The sum of two inputs of one shape; the formula stands in :func:`whygrad.ops.add`.

    Example:
        >>> Add().output_shape((3, 4, 4), (3, 4, 4))
        (3, 4, 4)
    """

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes) != 2 or shapes[0] != shapes[1]:
            received = ", ".join(map(str, shapes))
            raise ShapeError("add", "two inputs of one shape", received, "make both branches end in one shape")
        return shapes[0]

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        if len(inputs) != 2:
            raise ShapeError("add", "two inputs", f"{len(inputs)}", "name both inputs of the node")
        y, pullback = add(*inputs)
        return y, of_inputs(pullback), {}
