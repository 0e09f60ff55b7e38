"""Healthy trainings, of anyone's code and of the project's models: nothing is wrong with any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.training_faults import own, steps
from benchmarks.training_faults.codes import dictionary
from benchmarks.training_faults.codes.code import Code
from benchmarks.training_faults.images import Images
from benchmarks.training_faults.own import OwnBase
from benchmarks.training_faults.scenario import HEALTHY, Functions, Scenario, Setup
from benchmarks.training_faults.setups import Base, ImagesOf, Plant, stepped
from whygrad.layers import LogSoftmax
from whygrad.losses import cross_entropy
from whygrad.optim import SGD, Adam, AdamW, OneCycle, RMSprop, clip_by_global_norm


@dataclass(frozen=True)
class Healthy:
    """A row of the table: a training as it should be."""

    name: str
    base: Base | OwnBase
    plant: Plant | None = None  #: what is unusual about it, and right
    fields: tuple[tuple[str, Any], ...] = ()
    seeds: tuple[int, ...] = (0, 1)
    steps: int = 200
    floor: float = 0.8

    def scenarios(self, images_of: ImagesOf) -> Iterator[Scenario]:
        """Yield one for each seed."""
        for seed in self.seeds:
            make = partial(self.setup, images_of, seed)
            yield Scenario(HEALTHY, self.name, "", seed, make, steps=self.steps, floor=self.floor)

    def setup(self, images_of: ImagesOf, seed: int) -> Setup:
        """Return the training."""
        images = images_of(seed)
        if isinstance(self.base, OwnBase):
            return replace(self.base.setup(images, seed), **dict(self.fields))
        return self.plant.setup(self.base, images, seed) if self.plant else self.base.setup(images, seed)


def momentum(beta: float, share: float = 1.0, nesterov: bool = False) -> Plant:
    """Return an own step with momentum whose effective rate is the usual one times ``share``."""

    def step(setup: Functions, code: Code) -> Any:
        return steps.momentum(code.gradients, setup.learning_rate, beta, nesterov=nesterov)

    made = stepped(step, momentum=beta, optimizer="nesterov" if nesterov else "momentum")

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        slower = replace(setup, learning_rate=setup.learning_rate * (1 - beta) * share)
        assert made.alter is not None
        return made.alter(slower, code, images)

    return Plant(alter=alter)


def adam(rate: float) -> Plant:
    """Return an own step with Adam."""
    return stepped(lambda _, code: steps.adam(code.gradients, rate), optimizer="adam", learning_rate=rate)


def silent_last_layer(setup: Functions, code: Code, images: Images) -> Functions:
    """Return a training whose last layer begins at zeros, as it may."""
    del images
    params = setup.params.copy()
    for key in (code.weights[-1], code.biases[-1]):
        params[key] = np.zeros_like(params[key])
    return replace(setup, params=params)


def standardised(images: Images, _: np.random.Generator) -> Images:
    """Return images with mean 0 and deviation 1."""
    mean, deviation = images.x.mean(), images.x.std()
    return replace(images, x=(images.x - mean) / deviation, test_x=(images.test_x - mean) / deviation)


def written_in_place(setup: Functions, code: Code) -> Any:
    """Return a step that writes to the parameters."""
    return steps.in_place(code.gradients, setup.learning_rate)


def gently_clipped(setup: Functions, code: Code) -> Any:
    """Return a step with clipping that rarely cuts."""
    return steps.plain(steps.clipped(code.gradients, 5.0), setup.learning_rate)


def noisy_labels(images: Images, rng: np.random.Generator) -> Images:
    """Return data of which a tenth is labelled wrongly."""
    y = images.y.copy()
    wrong = rng.random(len(y)) < 0.1
    y[wrong] = rng.integers(0, 10, wrong.sum())
    return replace(images, y=y)


def noisy_pixels(images: Images, rng: np.random.Generator) -> Images:
    """Return noisy images."""
    return replace(images, x=images.x + 0.3 * rng.standard_normal(images.x.shape))


def regularised(images: Images, seed: int) -> Code:
    """Return the perceptron with a gentle regulariser."""
    return dictionary.build(images, seed, l2=1e-3)


def single(images: Images, seed: int) -> Code:
    """Return the perceptron in float32."""
    return dictionary.build(images, seed, dtype=np.float32)


def nearly_even(images: Images, rng: np.random.Generator) -> Images:
    """Return data in which half of the classes are three times as frequent."""
    kept = (images.y < 5) | (rng.random(len(images.y)) < 1 / 3)
    return replace(images, x=images.x[kept], y=images.y[kept])


ANYONE = (
    *(Healthy(f"{code}", Base(code), floor=floor, steps=300) for code, floor in (
        ("mlp", 0.85), ("deep mlp", 0.8), ("sigmoid", 0.85), ("tanh", 0.85), ("squares", 0.7), ("cnn", 0.8),
        ("batch norm", 0.8), ("lenet", 0.8), ("regression", 0.85))),
    *(Healthy(f"{code}, a third of the rate", Base(code, factor=1 / 3), steps=400, floor=0.75)
      for code in ("mlp", "sigmoid", "lenet", "batch norm", "regression")),
    *(Healthy(f"{code}, twice the rate", Base(code, factor=2.0), steps=300, floor=0.8)
      for code in ("mlp", "tanh", "batch norm", "regression")),
    *(Healthy(f"{code}, late", Base(code, trained=400), floor=0.85)
      for code in ("mlp", "deep mlp", "tanh", "cnn", "batch norm", "lenet", "regression")),
    Healthy("mlp, very late", Base("mlp", trained=4000), floor=0.85),
    Healthy("regression, very late", Base("regression", trained=4000), floor=0.85),
    *(Healthy(f"{code}, batches of 8", Base(code, size=8, factor=0.4), steps=400, floor=0.75)
      for code in ("mlp", "sigmoid", "batch norm")),
    *(Healthy(f"{code}, batches of 200", Base(code, size=200), steps=200)
      for code in ("mlp", "tanh", "lenet")),
    Healthy("mlp, momentum", Base("mlp"), momentum(0.9)),
    Healthy("cnn, Nesterov", Base("cnn"), momentum(0.9, nesterov=True)),
    Healthy("batch norm, momentum", Base("batch norm"), momentum(0.95)),
    Healthy("mlp, Adam", Base("mlp"), adam(3e-3)),
    Healthy("lenet, Adam", Base("lenet"), adam(5e-3)),
    Healthy("tanh, Adam, late", Base("tanh", trained=300), adam(1e-3)),
    Healthy("mlp, step in place", Base("mlp"), stepped(written_in_place)),
    Healthy("mlp, last layer at zeros", Base("mlp"), Plant(alter=silent_last_layer)),
    Healthy("mlp, standardised pixels", Base("mlp", factor=0.3), Plant(images=standardised)),
    Healthy("cnn, standardised pixels", Base("cnn", factor=0.2), Plant(images=standardised)),
    Healthy("mlp, clipped gently", Base("mlp"), stepped(gently_clipped)),
    Healthy("mlp, a tenth of the labels wrong", Base("mlp", size=64), Plant(images=noisy_labels), floor=0.75),
    Healthy("tanh, noisy pixels", Base("tanh"), Plant(images=noisy_pixels), floor=0.75),
    Healthy("mlp, regularised", Base(regularised)),
    Healthy("mlp, float32", Base(single)),
    Healthy("mlp, uneven classes", Base("mlp"), Plant(images=nearly_even), floor=0.75),
)  # fmt: skip

_ROLLING, _PLAIN = SGD(0.1, momentum=0.9), SGD(0.1)
OWN = (
    Healthy("model mlp, SGD", OwnBase(own.mlp, SGD(0.2)), steps=300),
    Healthy("model mlp, momentum", OwnBase(own.mlp, _ROLLING)),
    Healthy("model mlp, Nesterov", OwnBase(own.mlp, SGD(0.05, momentum=0.9, nesterov=True))),
    Healthy("model mlp, Adam", OwnBase(own.mlp, Adam(3e-3)), steps=300),
    Healthy("model mlp, Adam, small rate", OwnBase(own.mlp, Adam(1e-3)), steps=400),
    Healthy("model mlp, AdamW", OwnBase(own.mlp, AdamW(3e-3, weight_decay=0.01)), steps=300),
    Healthy("model mlp, RMSprop", OwnBase(own.mlp, RMSprop(1e-3)), steps=300),
    Healthy("model deep mlp, momentum", OwnBase(own.deep_mlp, SGD(0.03, momentum=0.9)), steps=300),
    Healthy("model deep mlp, Adam", OwnBase(own.deep_mlp, Adam(2e-3)), steps=300),
    Healthy("model cnn, momentum", OwnBase(own.plain_cnn, SGD(0.05, momentum=0.9))),
    Healthy("model cnn, Adam", OwnBase(own.plain_cnn, Adam(3e-3)), steps=300),
    Healthy("model cnn, RMSprop", OwnBase(own.plain_cnn, RMSprop(1e-3)), steps=300),
    Healthy("model cnn, batches of 8", OwnBase(own.plain_cnn, SGD(0.05), size=8), steps=300),
    Healthy("model cnn, batches of 256", OwnBase(own.plain_cnn, _ROLLING, size=256)),
    Healthy("model lenet, momentum", OwnBase(own.lenet, _ROLLING)),
    Healthy("model lenet, Adam", OwnBase(own.lenet, Adam(3e-3)), steps=300),
    Healthy("model batch norm, SGD 0.1", OwnBase(own.normalised, _PLAIN)),
    Healthy("model batch norm, momentum", OwnBase(own.normalised, _ROLLING)),
    Healthy("model batch norm, Adam", OwnBase(own.normalised, Adam(1e-2))),
    Healthy("model batch norm, batches of 8", OwnBase(own.normalised, SGD(0.05), size=8)),
    Healthy("model batch norm, batches of 128", OwnBase(own.normalised, _ROLLING, size=128)),
    Healthy("model digits_cnn, SGD 0.1", OwnBase(own.ready, _PLAIN)),
    Healthy("model digits_cnn, momentum", OwnBase(own.ready, _ROLLING)),
    Healthy("model digits_cnn, one-cycle", OwnBase(own.ready, SGD(OneCycle(0.1, 400), momentum=0.9)), steps=400),
    Healthy("model digits_cnn, Adam", OwnBase(own.ready, Adam(3e-3))),
    Healthy("model dropout, momentum", OwnBase(own.with_dropout, _ROLLING)),
    Healthy("model dropout 0.6, momentum", OwnBase(partial(own.with_dropout, p=0.6), _ROLLING)),
    Healthy("model dropout, Adam", OwnBase(own.with_dropout, Adam(3e-3)), steps=300),
    Healthy("model sigmoids, momentum", OwnBase(own.sigmoids, SGD(0.5, momentum=0.9)), steps=300),
    Healthy("model sigmoids, Adam", OwnBase(own.sigmoids, Adam(1e-2)), steps=300),
    Healthy("model mlp, late", OwnBase(own.mlp, _ROLLING, trained=300), floor=0.85),
    Healthy("model mlp, very late", OwnBase(own.mlp, _ROLLING, trained=3000), floor=0.85, seeds=(0,)),
    Healthy("model cnn, late", OwnBase(own.plain_cnn, SGD(0.05, momentum=0.9), trained=300), floor=0.85),
    Healthy("model batch norm, late", OwnBase(own.normalised, _PLAIN, trained=300), floor=0.85),
    Healthy("model batch norm, late, Adam", OwnBase(own.normalised, Adam(3e-3), trained=300), floor=0.85),
    Healthy("model digits_cnn, late", OwnBase(own.ready, _ROLLING, trained=300), floor=0.85),
    Healthy("model lenet, late, Adam", OwnBase(own.lenet, Adam(3e-3), trained=400), floor=0.85),
    Healthy("model mlp, weight decay", OwnBase(own.mlp, SGD(0.1, momentum=0.9, weight_decay=5e-4))),
    Healthy(
        "model mlp, clipped gently",
        OwnBase(own.mlp, _ROLLING),
        fields=(("clip", partial(clip_by_global_norm, max_norm=5.0)),),
    ),
    Healthy(
        "model mlp, labels smoothed",
        OwnBase(own.mlp, _ROLLING, loss=partial(cross_entropy, label_smoothing=0.1)),
    ),
    Healthy("model mlp, log-softmax before the loss", OwnBase(lambda i: own.mlp(i, out=LogSoftmax()), _ROLLING)),
)


def scenarios(images_of: ImagesOf) -> Iterator[Scenario]:
    """Yield every healthy training."""
    for row in (*ANYONE, *OWN):
        yield from row.scenarios(images_of)
