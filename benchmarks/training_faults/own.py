"""Trainings of the project's own models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.training_faults.images import CLASSES, Images
from benchmarks.training_faults.scenario import Own
from whygrad.layers import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from whygrad.losses import cross_entropy
from whygrad.models import digits_cnn
from whygrad.optim import SGD, Optimizer
from whygrad.training import fit, predict
from whygrad.typing import Array, Loss

Build = Callable[[Images], Sequential]

#: Pixels of a digit, for which the rates are chosen.
_DIGITS = 64


def mlp(images: Images, width: int = 48, **more: Any) -> Sequential:
    """Return a perceptron with one hidden layer; ``more`` comes after its last layer."""
    return Sequential(
        flatten=Flatten(),
        fc1=Linear(images.features, width),
        relu1=ReLU(),
        fc2=Linear(width, CLASSES),
        **more,
        input_shape=images.shape,
    )


def deep_mlp(images: Images, depth: int = 4, unit: type = ReLU, width: int = 40) -> Sequential:
    """Return a perceptron with several hidden layers."""
    layers: dict[str, Any] = {"flatten": Flatten()}
    before = images.features
    for i in range(1, depth + 1):
        layers |= {f"fc{i}": Linear(before, width), f"unit{i}": unit()}
        before = width
    return Sequential(**layers, out=Linear(before, CLASSES), input_shape=images.shape)


def plain_cnn(images: Images, **more: Any) -> Sequential:
    """Return two convolutions with ReLUs and pooling, without normalisation."""
    c, h, w = images.shape
    return Sequential(
        conv1=Conv2d(c, 8, 3, padding=1),
        relu1=ReLU(),
        pool1=MaxPool2d(2),
        conv2=Conv2d(8, 16, 3, padding=1),
        relu2=ReLU(),
        pool2=MaxPool2d(2),
        flatten=Flatten(),
        fc=Linear(16 * (h // 4) * (w // 4), CLASSES),
        **more,
        input_shape=images.shape,
    )


def lenet(images: Images) -> Sequential:
    """Return convolutions with tanh and average pooling."""
    c, h, w = images.shape
    return Sequential(
        conv1=Conv2d(c, 6, 3, padding=1),
        tanh1=Tanh(),
        pool1=AvgPool2d(2),
        conv2=Conv2d(6, 16, 3, padding=1),
        tanh2=Tanh(),
        pool2=AvgPool2d(2),
        flatten=Flatten(),
        fc1=Linear(16 * (h // 4) * (w // 4), 40),
        tanh3=Tanh(),
        fc2=Linear(40, CLASSES),
        input_shape=images.shape,
    )


def normalised(images: Images, momentum: float = 0.1) -> Sequential:
    """Return two convolutions with batch normalisation."""
    c, h, w = images.shape
    return Sequential(
        conv1=Conv2d(c, 8, 3, padding=1, bias=False),
        bn1=BatchNorm2d(8, momentum=momentum),
        relu1=ReLU(),
        conv2=Conv2d(8, 16, 3, padding=1, bias=False),
        bn2=BatchNorm2d(16, momentum=momentum),
        relu2=ReLU(),
        pool2=MaxPool2d(2),
        flatten=Flatten(),
        fc=Linear(16 * (h // 2) * (w // 2), CLASSES),
        input_shape=images.shape,
    )


def with_dropout(images: Images, p: float = 0.3) -> Sequential:
    """Return a perceptron with dropout."""
    return Sequential(
        flatten=Flatten(),
        fc1=Linear(images.features, 96),
        relu1=ReLU(),
        dropout1=Dropout(p),
        fc2=Linear(96, CLASSES),
        input_shape=images.shape,
    )


def sigmoids(images: Images, depth: int = 1) -> Sequential:
    """Return hidden layers of sigmoids."""
    return deep_mlp(images, depth, Sigmoid, 32)


def ready(images: Images) -> Sequential:
    """Return the ready model for the digits."""
    return digits_cnn(input_shape=images.shape)


@dataclass(frozen=True)
class OwnBase:
    """A healthy training of a model."""

    model: Build = mlp
    optimizer: Optimizer = field(default_factory=lambda: SGD(0.1, momentum=0.9))
    size: int = 32
    trained: int = 0  #: updates made before
    loss: Loss = cross_entropy

    def setup(self, images: Images, seed: int) -> Own:
        """Return it without a fault."""
        return self.prepared(self.model(images), images, seed)

    def prepared(self, model: Sequential, images: Images, seed: int) -> Own:
        """Return the training of another model."""
        params = model.init(np.random.default_rng([seed, 21]))
        x = images.x.astype(np.float32)
        optimizer = _suited(self.optimizer, images)
        if self.trained:
            params = _trained(model, params, x, images.y, optimizer, self.trained, seed)
        return Own(
            model,
            params,
            x,
            images.y,
            optimizer,
            self.loss,
            self.size,
            lambda p: accuracy(model, images, p),
        )


def _suited(optimizer: Optimizer, images: Images) -> Optimizer:
    """Return gradient descent with a rate that suits images larger than the digits, whose gradients are larger."""
    rate = optimizer.learning_rate
    if not isinstance(optimizer, SGD) or not isinstance(rate, float) or images.features <= _DIGITS:
        return optimizer
    return replace(optimizer, learning_rate=rate * (_DIGITS / images.features) ** 0.5)


def _trained(
    model: Sequential, params: Any, x: Array, y: Array, optimizer: Optimizer, count: int, seed: int
) -> dict[str, Array]:
    steps = fit(model, params, x, y, optimizer=optimizer, rng=np.random.default_rng([seed, 22]), epochs=1000)
    for step in steps:
        params = step.params
        if step.step == count:
            break
    return {name: np.array(array) for name, array in params.items()}


def accuracy(model: Sequential, images: Images, params: Any) -> float:
    """Return the share of held-out images that a model recognises in evaluation."""
    scores = predict(model, params, images.test_x.astype(np.float32))
    return float((scores.argmax(axis=1) == images.test_y).mean())
