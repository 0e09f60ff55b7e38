"""Scale and shift as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from whygrad.errors import OptionError
from whygrad.initializers import Initializer, constant, zeros
from whygrad.layers.layer import LayerResult, OneInput, Parameter, by_name
from whygrad.ops.reshape import check_shape
from whygrad.ops.scale import check_fits, scale
from whygrad.typing import Array, Params, Pullback, Shape


def _ones(rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return ones. A function, and not a partial one: those are equal to no other after pickling."""
    return constant(rng, shape, dtype, value=1.0)


@dataclass(frozen=True, repr=False)
class Scale(OneInput):
    """Every entry times its weight, plus its bias; the formula stands in :func:`whygrad.ops.scale`.

    Args:
        shape: of the weights: the axes of one sample, each of its size or 1.
        bias: of the biases, likewise; True for the shape of the weights, False for none.
        trained: which of "weight" and "bias" are learned; the others are constants of the network.
        weight_init: how the weights start.
        bias_init: how the biases start.

    Parameters: ``weight`` and, with a bias, ``bias``.

    Example:
        >>> Scale((3, 1, 1)).output_shape((3, 4, 4))
        (3, 4, 4)
    """

    shape: Shape
    bias: bool | Shape = True
    trained: tuple[str, ...] = ("weight", "bias")
    weight_init: Initializer = _ones
    bias_init: Initializer = zeros

    def __post_init__(self) -> None:
        check_shape("Scale", self.shape)
        if not isinstance(self.bias, bool):
            check_shape("Scale", self.bias)
        if not isinstance(self.trained, tuple) or not {"weight", "bias"}.issuperset(self.trained):
            received = f"{self.trained!r}"
            raise OptionError("Scale", 'trained as a tuple of "weight" and "bias"', received, "change trained")

    def parameters(self) -> dict[str, Parameter]:
        weight = Parameter(self.shape, self.weight_init, "weight" in self.trained)
        if self.bias is False:
            return {"weight": weight}
        shape = self.shape if self.bias is True else self.bias
        return {"weight": weight, "bias": Parameter(shape, self.bias_init, "bias" in self.trained)}

    def output_shape(self, *shapes: Shape) -> Shape:
        for letter, parameter in zip("wb", self.parameters().values(), strict=False):
            check_fits("scale", letter, parameter.shape, shapes[0])
        return shapes[0]

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        y, pullback = scale(x, own["weight"], own.get("bias"))
        return y, by_name(partial(_asked_for, pullback, self.trained), "weight", "bias"), {}


def _asked_for(pullback: Pullback, trained: tuple[str, ...], dy: Array) -> tuple[Array | None, ...]:
    """Return dx and the gradients of what is learned, None for the others."""
    dx, dw, db = pullback(dy)
    return dx, dw if "weight" in trained else None, db if "bias" in trained else None
