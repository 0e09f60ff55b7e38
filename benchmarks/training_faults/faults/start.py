"""Faults of the start: first parameters, and what stands between the last layer and the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.training_faults.codes import dictionary
from benchmarks.training_faults.codes.code import Code, keys
from benchmarks.training_faults.images import CLASSES, Images
from benchmarks.training_faults.setups import Build, Fault, Plant, on, started


def zeros(params: Any, code: Code, rng: np.random.Generator) -> Any:
    """Return zeros everywhere."""
    del code, rng
    for key in keys(params):
        params[key] = np.zeros_like(params[key])
    return params


def weights_zero(params: Any, code: Code, rng: np.random.Generator) -> Any:
    """Return weights of zero, biases drawn."""
    for key in code.weights:
        params[key] = np.zeros_like(params[key])
    for key in code.biases:
        params[key] = rng.normal(0, 0.1, params[key].shape).astype(params[key].dtype)
    return params


def all_equal(value: float) -> Plant:
    """Return the plant of weights that are all the same number."""

    def change(params: Any, code: Code, _: np.random.Generator) -> Any:
        for key in code.weights:
            params[key] = np.full_like(params[key], value)
        return params

    return started(change)


def units_equal(params: Any, code: Code, rng: np.random.Generator) -> Any:
    """Return weights that are the same for all units of a layer; first and last layer differ by input and class."""
    outputs_last = params[code.weights[-1]].shape[-1] == CLASSES
    for i, key in enumerate(code.weights):
        w = params[key]
        out = w.ndim - 1 if outputs_last and w.ndim == 2 else 0
        kept = {0: [n for n in range(w.ndim) if n != out], len(code.weights) - 1: [out]}.get(i, [])
        shape = [size if n in kept else 1 for n, size in enumerate(w.shape)]
        drawn = rng.normal(0.02, np.sqrt(2 / (w.size / w.shape[out])), shape)
        params[key] = np.broadcast_to(np.abs(drawn) if not kept else drawn, w.shape).astype(w.dtype)
    return params


def times(factor: float) -> Plant:
    """Return the plant of weights so many times too large."""

    def change(params: Any, code: Code, _: np.random.Generator) -> Any:
        for key in code.weights:
            params[key] = params[key] * np.asarray(factor, params[key].dtype)
        return params

    return started(change)


def uniform(params: Any, code: Code, rng: np.random.Generator) -> Any:
    """Return weights from 0 to 1, as rand() gives them."""
    for key in code.weights:
        params[key] = rng.random(params[key].shape).astype(params[key].dtype)
    return params


def standard_normal(params: Any, code: Code, rng: np.random.Generator) -> Any:
    """Return weights of deviation 1, as randn() gives them."""
    for key in code.weights:
        params[key] = rng.standard_normal(params[key].shape).astype(params[key].dtype)
    return params


def shut(bias: float, share: float = 1.0) -> Plant:
    """Return the plant of hidden biases so low that a share of the ReLUs never opens."""

    def change(params: Any, code: Code, rng: np.random.Generator) -> Any:
        for key in code.biases[:-1]:
            closed = rng.random(params[key].shape) < share
            params[key] = np.where(closed, np.asarray(bias, params[key].dtype), params[key])
        return params

    return started(change)


def leaped(params: Any, code: Code, rng: np.random.Generator) -> Any:
    """Return parameters after a leap that shut the last hidden layer for good."""
    del rng
    key = code.weights[-2]
    params[key] = -np.abs(params[key]) - np.asarray(0.05, params[key].dtype)
    for before in code.weights[:-2]:
        params[before] = np.abs(params[before])
    params[code.biases[-2]] = params[code.biases[-2]] - 1
    return params


def head(name: str, hidden: tuple[int, ...] = (48,)) -> Plant:
    """Return the plant of another head on the perceptron."""

    def build(images: Images, seed: int) -> Code:
        return dictionary.build(images, seed, hidden, head=name)

    return Plant(code=build)


def _deep(images: Images, seed: int) -> Code:
    return dictionary.build(images, seed, (40,) * 6)


deep: Build = _deep

FAULTS = (
    Fault("zero_initialisation", "zeros", on("mlp", "cnn", "lenet", "deep mlp"), {"all": started(zeros)}),
    Fault(
        "zero_initialisation",
        "weights of zero",
        on("mlp", "tanh", "sigmoid"),
        {"biases drawn": started(weights_zero)},
        also=("symmetric_initialisation",),
        definition="no signal passes in either direction at the start",
    ),
    Fault(
        "symmetric_initialisation",
        "all weights the same",
        on("mlp", "cnn", "tanh", "sigmoid"),
        {"0.01": all_equal(0.01), "0.1": all_equal(0.1)},
    ),
    Fault(
        "symmetric_initialisation",
        "units the same",
        on("mlp", "cnn"),
        {"by input": started(units_equal)},
    ),
    Fault(
        "init_scale_wrong",
        "weights too large",
        on("mlp", "deep mlp", "cnn"),
        {"x 8": times(8), "x 30": times(30), "x 300": times(300)},
        also=("exploding_gradient",),
    ),
    Fault(
        "init_scale_wrong",
        "rand or randn",
        on("deep mlp", "cnn"),
        {"rand": started(uniform), "randn": started(standard_normal)},
        also=("exploding_gradient",),
    ),
    Fault(
        "init_scale_wrong",
        "weights too small",
        on("deep mlp", "cnn", "tanh"),
        {"x 0.01": times(0.01), "x 0.0001": times(0.0001)},
        also=("vanishing_gradient",),
    ),
    Fault(
        "dead_units",
        "dead from the start",
        on("mlp", "deep mlp", "cnn"),
        {"all": shut(-20.0), "all, deeper": shut(-100.0), "nine tenths": shut(-20.0, 0.9)},
    ),
    Fault("dead_units", "died in a leap", on("mlp", "deep mlp", "cnn", trained=60), {"a layer": started(leaped)}),
    Fault(
        "softmax_applied_twice",
        "softmax of a softmax",
        on("mlp", "deep mlp"),
        {"at the start": head("twice"), "three layers": head("twice", (40, 30))},
        also=("probabilities_for_logits",),
        seeds=3,
        definition="the loss cannot fall below -ln(e / (e + 9))",
    ),
    Fault(
        "probabilities_for_logits",
        "softmax of sigmoids",
        on("mlp"),
        {"at the start": head("sigmoid"), "three layers": head("sigmoid", (40, 30))},
        also=("softmax_applied_twice", "loss_formula_wrong"),
        seeds=3,
        definition="the loss cannot fall below -ln(e / (e + 9))",
    ),
    Fault(
        "loss_formula_wrong",
        "another formula",
        on("mlp"),
        {"all classes": head("all"), "p[:, y]": head("pairs")},
        seeds=3,
    ),
    Fault("loss_formula_wrong", "minus missing", on("mlp"), {"ln p": head("plus")}, also=("sign_error",), seeds=2),
)
