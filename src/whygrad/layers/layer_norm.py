"""Layer normalisation as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from whygrad.errors import OptionError, ShapeError
from whygrad.initializers import constant, zeros
from whygrad.layers.layer import LayerResult, OneInput, Parameter, by_name
from whygrad.ops.layer_norm import layer_norm
from whygrad.typing import Array, Params, Shape
from whygrad.validation import number, whole


@dataclass(frozen=True, repr=False)
class LayerNorm(OneInput):
    """Every sample to mean 0 and variance 1; the formula stands in :func:`whygrad.ops.layer_norm`.

    Args:
        shape: the sizes of the last axes, which are normalised together: (C, H, W) of images, or a number.
        eps: added to the variance.

    Parameters: ``weight`` γ and ``bias`` β of that shape.

    Example:
        >>> LayerNorm((3, 4, 4)).output_shape((3, 4, 4))
        (3, 4, 4)
    """

    shape: int | Shape
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if not self._sizes():
            raise OptionError("LayerNorm", "a shape of at least one axis", "()", "name the axes to normalise")
        number("LayerNorm", "eps", self.eps, 0.0, 1e30)
        for size in self._sizes():
            whole("LayerNorm", "shape", size, 1)

    def _sizes(self) -> Shape:
        return self.shape if isinstance(self.shape, tuple) else (self.shape,)

    def parameters(self) -> dict[str, Parameter]:
        shape = self._sizes()
        return {"weight": Parameter(shape, partial(constant, value=1.0)), "bias": Parameter(shape, zeros)}

    def output_shape(self, *shapes: Shape) -> Shape:
        sizes = self._sizes()
        if len(shapes[0]) < len(sizes) or shapes[0][len(shapes[0]) - len(sizes) :] != sizes:
            raise ShapeError(
                "layer_norm", f"a shape that ends in {sizes}", f"{shapes[0]}", "change the layer's shape"
            )
        return shapes[0]

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        y, pullback = layer_norm(x, own["weight"], own["bias"], eps=self.eps)
        return y, by_name(pullback, "weight", "bias"), {}
