"""Concatenation as a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.errors import OptionError, ShapeError
from whygrad.layers.layer import Layer, LayerResult, of_inputs
from whygrad.ops.concat import concat
from whygrad.typing import Array, Params, Shape


@dataclass(frozen=True, repr=False)
class Concat(Layer):
    """Inputs laid side by side; the rule stands in :func:`whygrad.ops.concat`.

    Args:
        axis: along which axis, counted with the batch axis; not the batch axis itself.

    Example:
        >>> Concat().output_shape((3, 4, 4), (5, 4, 4))
        (8, 4, 4)
    """

    axis: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.axis, bool) or not isinstance(self.axis, int) or self.axis == 0:
            raise OptionError("Concat", "an axis other than the batch axis", f"{self.axis!r}", "change axis")

    def output_shape(self, *shapes: Shape) -> Shape:
        at = self.axis - 1 if self.axis > 0 else len(shapes[0]) + self.axis if shapes else 0
        frames = {shape[:at] + shape[at + 1 :] for shape in shapes}
        if len(frames) != 1 or not 0 <= at < len(shapes[0]):
            expected = f"inputs of one shape but for axis {self.axis}"
            raise ShapeError("concat", expected, ", ".join(map(str, shapes)), "make the other axes agree")
        return (*shapes[0][:at], sum(shape[at] for shape in shapes), *shapes[0][at + 1 :])

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        y, pullback = concat(*inputs, axis=self.axis)
        return y, of_inputs(pullback), {}
