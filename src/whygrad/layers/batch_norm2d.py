"""Batch normalisation as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from whygrad.initializers import constant, zeros
from whygrad.layers.layer import Layer, LayerResult, OneInput, Parameter, by_name, image_shape
from whygrad.layers.relu import ReLU
from whygrad.ops.batch_norm2d import batch_norm2d, batch_norm2d_relu
from whygrad.typing import Array, Params, Shape
from whygrad.validation import number, whole

_ones = partial(constant, value=1.0)


@dataclass(frozen=True, repr=False)
class BatchNorm2d(OneInput):
    """Every channel to mean 0 and variance 1; the formula stands in :func:`whygrad.ops.batch_norm2d`.

    Args:
        channels: C of the images.
        eps: added to the variance.
        momentum: weight of a batch in the running statistics.

    Parameters: ``weight`` γ and ``bias`` β, trained; ``running_mean`` and ``running_var``, which a call in
    training returns anew instead of changing them. All (C,).

    Example:
        >>> layer = BatchNorm2d(3)
        >>> params = layer.init(np.random.default_rng(0))
        >>> y, pullback, changed = layer(params, np.ones((2, 3, 4, 4), np.float32), training=True)
        >>> changed["running_mean"]
        array([0.1, 0.1, 0.1], dtype=float32)
    """

    channels: int
    eps: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        whole("BatchNorm2d", "channels", self.channels, 1)
        number("BatchNorm2d", "eps", self.eps, 0.0, 1e30)
        number("BatchNorm2d", "momentum", self.momentum, 0.0, 1.0)

    def parameters(self) -> dict[str, Parameter]:
        shape = (self.channels,)
        return {
            "weight": Parameter(shape, _ones),
            "bias": Parameter(shape, zeros),
            "running_mean": Parameter(shape, zeros, trained=False),
            "running_var": Parameter(shape, _ones, trained=False),
        }

    def output_shape(self, *shapes: Shape) -> Shape:
        return image_shape("batch_norm2d", shapes[0], self.channels)

    def joined(self, after: Layer) -> Layer | None:
        if type(self) is BatchNorm2d and type(after) is ReLU:
            return _Gated(self.channels, self.eps, self.momentum)
        return None

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        (y, mean, var), pullback = (batch_norm2d_relu if isinstance(self, _Gated) else batch_norm2d)(
            x,
            own["weight"],
            own["bias"],
            own["running_mean"],
            own["running_var"],
            training=training,
            momentum=self.momentum,
            eps=self.eps,
        )
        changed = {"running_mean": mean, "running_var": var} if training else {}
        return y, by_name(pullback, "weight", "bias"), changed


class _Gated(BatchNorm2d):
    """Batch normalisation and the ReLU after it, in one call."""
