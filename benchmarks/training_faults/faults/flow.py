"""Faults of the flow: signals and gradients that die or blow up on their way."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.training_faults.codes import columns, dictionary
from benchmarks.training_faults.codes.code import Code
from benchmarks.training_faults.images import Images
from benchmarks.training_faults.setups import Base, Build, Fault, Plant, on, started


def sigmoids(depth: int, unit: str = "sigmoid") -> Build:
    """Return the builder of so many hidden layers of 20."""
    return lambda images, seed: columns.build(images, seed, (20,) * depth, unit=unit)


def _gained(build: Build, gain: float) -> Build:
    def made(images: Images, seed: int) -> Code:
        code = build(images, seed)
        for key in code.weights:
            code.params[key] = code.params[key] * gain
        return code

    return made


def deep_relu(images: Images, seed: int) -> Code:
    """Return eight hidden layers."""
    return dictionary.build(images, seed, (40,) * 8)


def pushed(bias: float) -> Plant:
    """Return the plant of hidden biases that push every unit to a flat end."""

    def change(params: Any, code: Code, rng: np.random.Generator) -> Any:
        for key in code.biases[:-1]:
            params[key] = params[key] + bias * np.sign(rng.standard_normal(params[key].shape))
        return params

    return started(change)


def stretched(factor: float) -> Plant:
    """Return the plant of first weights so large that the units after them are flat."""

    def change(params: Any, code: Code, _: np.random.Generator) -> Any:
        params[code.weights[0]] = params[code.weights[0]] * factor
        return params

    return started(change)


FAULTS = (
    Fault(
        "vanishing_gradient",
        "deep sigmoids",
        (Base(sigmoids(2)),),
        {
            "6 layers": Plant(code=sigmoids(6)),
            "8 layers": Plant(code=sigmoids(8)),
            "12 layers": Plant(code=sigmoids(12)),
        },
        seeds=3,
    ),
    Fault(
        "vanishing_gradient",
        "deep tanh with small weights",
        (Base(sigmoids(6, "tanh")),),
        {"gain 0.3": Plant(code=_gained(sigmoids(6, "tanh"), 0.3))},
        also=("init_scale_wrong",),
        seeds=3,
        steps=300,
    ),
    Fault(
        "exploding_gradient",
        "deep ReLUs with large weights",
        (Base(deep_relu, factor=0.5),),
        {
            "gain 1.5": Plant(code=_gained(deep_relu, 1.5)),
            "gain 2": Plant(code=_gained(deep_relu, 2.0)),
            "gain 4": Plant(code=_gained(deep_relu, 4.0)),
        },
        also=("init_scale_wrong",),
        steps=300,
    ),
    Fault(
        "saturated_units",
        "biases far out",
        on("sigmoid", "tanh", "lenet"),
        {"12": pushed(12.0), "40": pushed(40.0)},
    ),
    Fault(
        "saturated_units",
        "first weights far too large",
        on("sigmoid", "tanh"),
        {"x 100": stretched(100.0), "x 1000": stretched(1000.0)},
        also=("init_scale_wrong",),
    ),
)
