"""Scale and shift as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from whygrad.initializers import Initializer, constant, zeros
from whygrad.layers.layer import LayerResult, OneInput, Parameter, by_name
from whygrad.ops.affine import affine, check_fits
from whygrad.ops.reshape import check_shape
from whygrad.typing import Array, Params, Pullback, Shape
from whygrad.validation import flag

_ones = partial(constant, value=1.0)


@dataclass(frozen=True, repr=False)
class Affine(OneInput):
    """Every entry times its weight, plus its bias; the formula stands in :func:`whygrad.ops.affine`.

    Args:
        shape: of the weights: the axes of one sample, each of its size or 1.
        bias: of the biases, likewise; True for the shape of the weights, False for none.
        trained: whether they are learned; False for constants of the network.
        weight_init: how the weights start.
        bias_init: how the biases start.

    Parameters: ``weight`` and, with a bias, ``bias``.

    Example:
        >>> Affine((3, 1, 1)).output_shape((3, 4, 4))
        (3, 4, 4)
    """

    shape: Shape
    bias: bool | Shape = True
    trained: bool = True
    weight_init: Initializer = _ones
    bias_init: Initializer = zeros

    def __post_init__(self) -> None:
        check_shape("Affine", self.shape)
        if not isinstance(self.bias, bool):
            check_shape("Affine", self.bias)
        flag("Affine", "trained", self.trained)

    def parameters(self) -> dict[str, Parameter]:
        weight = Parameter(self.shape, self.weight_init, self.trained)
        if self.bias is False:
            return {"weight": weight}
        shape = self.shape if self.bias is True else self.bias
        return {"weight": weight, "bias": Parameter(shape, self.bias_init, self.trained)}

    def output_shape(self, *shapes: Shape) -> Shape:
        for letter, parameter in zip("wb", self.parameters().values(), strict=False):
            check_fits("affine", letter, parameter.shape, shapes[0])
        return shapes[0]

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        y, pullback = affine(x, own["weight"], own.get("bias"))
        if self.trained:
            return y, by_name(pullback, "weight", "bias"), {}
        return y, by_name(partial(_input_only, pullback)), {}


def _input_only(pullback: Pullback, dy: Array) -> tuple[Array]:
    """Return dx alone: nobody asks for the gradients of constants."""
    return (pullback(dy)[0],)
