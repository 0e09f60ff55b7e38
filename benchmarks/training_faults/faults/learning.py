"""Faults of learning itself: optimisers, clipping, capacity, regularisers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.training_faults import steps
from benchmarks.training_faults.codes import dictionary, regression
from benchmarks.training_faults.codes.code import Code, keys
from benchmarks.training_faults.images import Images
from benchmarks.training_faults.scenario import Functions
from benchmarks.training_faults.setups import Base, Build, Fault, Plant, altered, on, stepped


def adam(rate: float, bug: str) -> Plant:
    """Return the plant of Adam with a mistake."""
    return stepped(lambda _, code: steps.adam(code.gradients, rate, bug=bug), optimizer="adam", learning_rate=rate)


def rolling(bug: str, beta: float = 0.9, nesterov: bool = False) -> Plant:
    """Return the plant of momentum with a mistake."""

    def alter(setup: Functions, code: Code, images: Images) -> Functions:
        del images
        rate = setup.learning_rate * (1 - beta)
        step = steps.momentum(code.gradients, rate, beta, nesterov=nesterov, bug=bug)
        name = "nesterov" if nesterov else "momentum"
        return replace(setup, step=step, learning_rate=rate, momentum=beta, optimizer=name)

    return altered(alter)


def cut(most: float) -> Plant:
    """Return the plant of gradients clipped to so small a norm that every step is cut."""
    return stepped(lambda setup, code: steps.plain(steps.clipped(code.gradients, most), setup.learning_rate))


def cut_entries(most: float) -> Plant:
    """Return the plant of every entry clipped."""

    def step(setup: Functions, code: Code) -> Any:
        def update(params: Any, batch: Any) -> Any:
            grads = code.gradients(params, batch)
            for key in keys(params):
                params[key] = params[key] - setup.learning_rate * np.clip(grads[key], -most, most)
            return params

        return update

    return stepped(step)


def narrow(width: int) -> Plant:
    """Return the plant of a hidden layer too narrow for ten classes."""
    return Plant(code=lambda images, seed: dictionary.build(images, seed, (width,)))


def brightness(images: Images, seed: int) -> Code:
    """Return the perceptron that sees the mean of each image only."""
    code = dictionary.build(images, seed)

    def seen(x: Any) -> Any:
        x = x.reshape(len(x), -1)
        return np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)

    return replace(
        code,
        loss=lambda params, batch: code.loss(params, (seen(batch[0]), batch[1])),
        gradients=lambda params, batch: code.gradients(params, (seen(batch[0]), batch[1])),
        scores=lambda params, x: code.scores(params, seen(x)),
    )


def decayed(strength: float) -> Plant:
    """Return the plant of a regulariser, in loss and gradient alike."""
    return Plant(code=lambda images, seed: dictionary.build(images, seed, l2=strength))


def ridge(strength: float) -> Plant:
    """Return the plant of a regulariser of softmax regression."""
    return Plant(code=lambda images, seed: regression.build(images, seed, l2=strength))


def decay_in_step(strength: float) -> Plant:
    """Return the plant of an own step with weight decay."""

    def step(setup: Functions, code: Code) -> Any:
        def update(params: Any, batch: Any) -> Any:
            grads = code.gradients(params, batch)
            new = params.copy()
            for key in keys(params):
                new[key] = params[key] * (1 - setup.learning_rate * strength) - setup.learning_rate * grads[key]
            return new

        return update

    return stepped(step)


wide: Build = dictionary.build
_FORMULA = "the update is not the one that its name stands for"

FAULTS = (
    Fault(
        "optimizer_formula_wrong",
        "Adam",
        on("mlp", "lenet"),
        {
            "no corrections": adam(3e-3, "no corrections"),
            "b to the t": adam(3e-3, "b to the t"),
            "no root": adam(3e-3, "no root"),
            "no square": adam(3e-3, "no square"),
            "assigned": adam(3e-3, "assigned"),
            "t per parameter": adam(3e-3, "t per parameter"),
        },
        definition=_FORMULA,
    ),
    Fault(
        "optimizer_formula_wrong",
        "momentum",
        on("mlp", "cnn"),
        {
            "velocity subtracted": rolling("velocity subtracted"),
            "rate twice": rolling("rate twice"),
            "Nesterov looks back": rolling("looks back", nesterov=True),
        },
        definition=_FORMULA,
    ),
    Fault(
        "clipping_always",
        "to a small norm",
        on("mlp", "cnn", "lenet"),
        {"1e-2": cut(1e-2), "1e-4": cut(1e-4)},
    ),
    Fault("clipping_always", "entry by entry", on("mlp", "tanh"), {"1e-5": cut_entries(1e-5)}),
    Fault(
        "cannot_overfit",
        "too narrow",
        (Base(wide),),
        {"1 unit": narrow(1), "2 units": narrow(2)},
        also=("dead_units",),
        seeds=3,
    ),
    Fault(
        "cannot_overfit",
        "brightness only",
        (Base(wide),),
        {"mean of the pixels": Plant(code=brightness)},
        also=("constant_features",),
        seeds=3,
    ),
    Fault(
        "regularisation_too_strong",
        "in the loss",
        on("mlp"),
        {"1": decayed(1.0), "0.3": decayed(0.3), "3": decayed(3.0)},
        seeds=3,
    ),
    Fault("regularisation_too_strong", "in the loss", on("regression"), {"0.5": ridge(0.5)}, seeds=3),
    Fault("regularisation_too_strong", "in the step", on("mlp", "cnn"), {"1": decay_in_step(1.0)}),
)
