"""Dropout as a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whygrad.layers.layer import LayerResult, OneInput, of_one
from whygrad.ops.dropout import dropout
from whygrad.typing import Array, Params, Shape
from whygrad.validation import number


@dataclass(frozen=True, repr=False)
class Dropout(OneInput):
    """Units fall out at random in training; the formula stands in :func:`whygrad.ops.dropout`.

    Args:
        p: the probability to fall out.

    Example:
        >>> y, _, _ = Dropout(0.5)({}, np.ones(4), training=False)
        >>> y
        array([1., 1., 1., 1.])
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        number("Dropout", "p", self.p, 0.0, 1.0, open_high=True)

    def output_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        y, pullback = dropout(x, p=self.p, training=training, rng=rng)
        return y, of_one(pullback), {}
