"""The dense layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.errors import ShapeError
from whygrad.initializers import Initializer, he_normal, zeros
from whygrad.layers.layer import Fitted, Layer, LayerResult, OneInput, Parameter, by_name
from whygrad.layers.relu import ReLU
from whygrad.ops.linear import linear, linear_for, linear_relu
from whygrad.typing import Array, Params, Shape
from whygrad.validation import whole


@dataclass(frozen=True, repr=False)
class Linear(OneInput):
    """Every output a weighted sum of every input; the formula stands in :func:`whygrad.ops.linear`.

    Args:
        in_features: D of the samples (N, D).
        out_features: F of the output (N, F).
        bias: whether a bias is added.
        weight_init: how the weights start.
        bias_init: how the biases start.

    Parameters: ``weight`` (F, D) and, with a bias, ``bias`` (F,).

    Example:
        >>> Linear(400, 120).output_shape((400,))
        (120,)
    """

    in_features: int
    out_features: int
    bias: bool = True
    weight_init: Initializer = he_normal
    bias_init: Initializer = zeros

    def __post_init__(self) -> None:
        whole("Linear", "in_features", self.in_features, 1)
        whole("Linear", "out_features", self.out_features, 1)

    def parameters(self) -> dict[str, Parameter]:
        weight = Parameter((self.out_features, self.in_features), self.weight_init)
        return {"weight": weight} | ({"bias": Parameter((self.out_features,), self.bias_init)} if self.bias else {})

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != (self.in_features,):
            remedy = "flatten images first, and give in_features their number of entries"
            raise ShapeError("linear", f"samples of {self.in_features} features", f"{shapes[0]}", remedy)
        return (self.out_features,)

    def joined(self, after: Layer) -> Layer | None:
        if type(self) is Linear and type(after) is ReLU:
            return _Gated(self.in_features, self.out_features, self.bias)
        return None

    def fitted(self, shape: Shape) -> Fitted | None:
        if type(self) not in (Linear, _Gated) or shape[1:] != (self.in_features,):
            return None
        return linear_for(gated=isinstance(self, _Gated))

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        call = linear_relu if isinstance(self, _Gated) else linear
        y, pullback = call(x, own["weight"], own.get("bias"))
        return y, by_name(pullback, "weight", "bias", skips=True), {}


class _Gated(Linear):
    """A dense layer and the ReLU after it, in one call."""
