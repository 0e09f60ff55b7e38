"""Layers, losses, optimisers and models of them, each with a mistake in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.training_faults.images import CLASSES, Images
from whygrad.layers import Dropout, Flatten, Linear, ReLU, Sequential
from whygrad.losses import cross_entropy
from whygrad.ops import softmax
from whygrad.optim import SGD, Adam, Optimizer


class Unmoved(Linear):
    """A dense layer that hands on the gradient and forgets its own."""

    def forward(self, own_params, x, *, training, rng):
        """Return y and a pullback without gradients."""
        y, pullback, changed = super().forward(own_params, x, training=training, rng=rng)
        return y, lambda dy, **options: (pullback(dy, **options)[0], {}), changed


class NoBias(Linear):
    """A dense layer whose bias gets a gradient of zero."""

    def forward(self, own_params, x, *, training, rng):
        """Return y and a pullback with a bias gradient of zero."""
        y, pullback, changed = super().forward(own_params, x, training=training, rng=rng)

        def back(dy, **options):
            dx, grads = pullback(dy, **options)
            return dx, {**grads, "bias": np.zeros_like(grads["bias"])}

        return y, back, changed


class Turned(Linear):
    """A dense layer that hands on the gradient through its weights the wrong way round."""

    def forward(self, own_params, x, *, training, rng):
        """Return y and a pullback with a wrong dx."""
        y, pullback, changed = super().forward(own_params, x, training=training, rng=rng)

        def back(dy, **options):
            dx, grads = pullback(dy, **options)
            return (None if dx is None else dy @ own_params["weight"].T), grads

        return y, back, changed


class Ungated(ReLU):
    """A ReLU that lets every gradient pass."""

    def operate(self, x):
        """Return the positive part and a pullback without its gate."""
        return np.maximum(x, 0), lambda dy: dy


class Unscaled(Dropout):
    """Dropout that does not make up for what falls out."""

    def forward(self, own_params, x, *, training, rng):
        """Return what is left, as large as it was."""
        if not training:
            return x, lambda dy, **_: (dy, {}), {}
        mask = (rng.random(x.shape) >= self.p).astype(x.dtype)
        return x * mask, lambda dy, **_: (dy * mask, {}), {}


def ascending(y: Any, t: Any) -> Any:
    """Return the loss and its gradient with the wrong sign."""
    value, dy = cross_entropy(y, t)
    return value, -dy


def summed(y: Any, t: Any) -> Any:
    """Return a mean with the gradient of a sum."""
    value, dy = cross_entropy(y, t)
    return value, dy * np.float32(len(y))


def averaged_twice(y: Any, t: Any) -> Any:
    """Return a mean with a gradient that was averaged twice."""
    value, dy = cross_entropy(y, t)
    return value, dy / np.float32(len(y))


def of_all_classes(y: Any, t: Any) -> Any:
    """Return the cross-entropy with every class as the target, and its gradient."""
    del t
    return cross_entropy(y, np.full(y.shape, 1 / CLASSES, y.dtype))


def logarithm(y: Any, t: Any) -> Any:
    """Return -ln of a softmax that may have underflowed, and its gradient."""
    p, _ = softmax(y)
    rows = np.arange(len(t))
    one_hot = np.zeros_like(p)
    one_hot[rows, t] = 1
    with np.errstate(divide="ignore"):
        return float(-np.log(p[rows, t]).mean()), (p - one_hot) / np.float32(len(t))


def unshifted(y: Any, t: Any) -> Any:
    """Return the cross-entropy of a softmax without subtraction of the largest."""
    e = np.exp(y)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(t))
    one_hot = np.zeros_like(p)
    one_hot[rows, t] = 1
    return float(-np.log(p[rows, t]).mean()), (p - one_hot) / np.float32(len(t))


@dataclass(frozen=True)
class WrongAdam(Adam):
    """Adam without its corrections, or without its root."""

    mistake: str = "no corrections"

    def rule(self, w, g, old, rate, t, /):
        """Return w, m and v after an update that is not Adam's."""
        m = self.beta1 * old["mean"] + (1 - self.beta1) * g
        v = self.beta2 * old["square"] + (1 - self.beta2) * g**2
        if self.mistake == "b to the t":
            step = (m / self.beta1**t) / (np.sqrt(v / self.beta2**t) + self.eps)
        elif self.mistake == "no root":
            step = (m / (1 - self.beta1**t)) / (v / (1 - self.beta2**t) + self.eps)
        else:
            step = m / (np.sqrt(v) + self.eps)
        return (w - rate * step).astype(w.dtype), {"mean": m, "square": v}


@dataclass(frozen=True)
class WrongNesterov(SGD):
    """Nesterov's momentum that looks back."""

    def rule(self, w, g, old, rate, _t, /):
        """Return w and v after an update that looks the wrong way."""
        v = self.momentum * old["velocity"] + g
        return (w - rate * (g - self.momentum * v)).astype(w.dtype), {"velocity": v}

    def rules(self, ws, gs, old, rate, t, /):
        """Return one rule after the other."""
        return Optimizer.rules(self, ws, gs, old, rate, t)


def with_turned_layer(images: Images) -> Sequential:
    """Return a perceptron with a layer that hands on the gradient the wrong way round."""
    return Sequential(
        flatten=Flatten(),
        fc1=Linear(images.features, 40),
        relu1=ReLU(),
        fc2=Turned(40, 40),
        relu2=ReLU(),
        fc3=Linear(40, CLASSES),
        input_shape=images.shape,
    )


def two_layers(images: Images, first: Any, gate: Any = None) -> Sequential:
    """Return a perceptron with a first layer and a unit of one's own."""
    layers = {"flatten": Flatten(), "fc1": first(images.features, 48), "relu1": gate or ReLU()}
    return Sequential(**layers, fc2=Linear(48, CLASSES), input_shape=images.shape)


def with_unscaled_dropout(images: Images) -> Sequential:
    """Return a perceptron whose dropout does not make up for what falls out."""
    return Sequential(
        flatten=Flatten(),
        fc1=Linear(images.features, 96),
        relu1=ReLU(),
        dropout1=Unscaled(0.9),
        fc2=Linear(96, CLASSES),
        input_shape=images.shape,
    )
