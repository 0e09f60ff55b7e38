"""whygrad's side: a training step as ``fit`` makes it, and a prediction. Imports no PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.networks import MOMENTUM, Network
from whygrad.layers import Conv2d, Dropout, Layer, Sequential, Sigmoid
from whygrad.losses import cross_entropy, half_squared_error
from whygrad.models import MODELS
from whygrad.optim import SGD, Schedule
from whygrad.typing import Array, Loss, Params, Shape
from whygrad.workspace import Workspace

LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "half_squared_error": half_squared_error}


def build(model: str, input_shape: Shape) -> Sequential:
    """Return the model of that name for images of that shape."""
    return sigmoids(input_shape) if model == "sigmoids" else MODELS[model](input_shape=input_shape)


def sigmoids(input_shape: Shape) -> Sequential:
    """Return two convolutions from one channel to one channel, each followed by a sigmoid."""
    return Sequential(
        conv1=Conv2d(1, 1, 3, padding=1),
        sigmoid1=Sigmoid(),
        conv2=Conv2d(1, 1, 3, padding=1),
        sigmoid2=Sigmoid(),
        input_shape=input_shape,
    )


def weights(model: Sequential, seed: int = 0) -> dict[str, Array]:
    """Return first parameters, for both sides."""
    return model.init(np.random.default_rng(seed))


class Trainer:
    """Makes training steps: forward, loss, backward, SGD with momentum."""

    def __init__(self, model: Layer, params: Params, loss: str, rate: float | Schedule, seed: int = 0) -> None:
        self.model, self.params, self.loss = model, dict(params), LOSSES[loss]
        self.optimizer = SGD(rate, momentum=MOMENTUM)
        self.state = self.optimizer.init(params)
        self.rng = np.random.default_rng(seed)
        self.workspace = Workspace()

    @classmethod
    def of(cls, network: Network) -> Trainer:
        """Return a trainer of a network with its first parameters."""
        model = build(network.model, network.input_shape)
        return cls(model, weights(model), network.loss, network.rate)

    def step(self, x: Array, target: Any) -> float:
        """Make one update and return the loss before it."""
        with self.workspace:
            y, pullback, changed = self.model(self.params, x, training=True, rng=self.rng)
            value, dy = self.loss(y, target)
            _, gradients = pullback(dy, release=True, input_gradient=False)
            params, self.state = self.optimizer.update(self.params, gradients, self.state)
            self.params = params | changed
        return value


class Predictor:
    """Predicts, reusing its memory from call to call."""

    def __init__(self, model: Layer, params: Params) -> None:
        self.model, self.params, self.workspace = model, params, Workspace()

    def __call__(self, x: Array) -> Array:
        """Return the model's output in evaluation."""
        with self.workspace:
            y: Array = self.model(self.params, x)[0]
        return y


def first_step(
    model: Sequential, params: Params, loss: str, x: Array, target: Any
) -> tuple[float, dict[str, Array]]:
    """Return the loss and the gradients at these parameters with nothing dropped out."""
    layers: dict[str, Any] = {name: layer for name, layer in model.layers.items() if not isinstance(layer, Dropout)}
    y, pullback, _ = Sequential(**layers, input_shape=model.input_shape)(params, x, training=True)
    value, dy = LOSSES[loss](y, target)
    return value, pullback(dy)[1]
