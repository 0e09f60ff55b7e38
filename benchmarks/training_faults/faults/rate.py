"""Faults of the learning rate and of momentum."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.training_faults import steps
from benchmarks.training_faults.setups import Fault, Plant, on, stepped


def faster(factor: float) -> Plant:
    """Return the plant of a rate that is so many times the good one."""
    return Plant(alter=lambda setup, _, __: replace(setup, learning_rate=setup.learning_rate * factor))


def rolling(beta: float, factor: float = 1.0) -> Plant:
    """Return the plant of momentum in an own step."""

    def step(setup, code):
        return steps.momentum(code.gradients, setup.learning_rate * factor, beta)

    return stepped(step, momentum=beta, optimizer="momentum")


def adam(rate: float) -> Plant:
    """Return the plant of Adam at a rate."""
    return stepped(lambda _, code: steps.adam(code.gradients, rate), optimizer="adam", learning_rate=rate)


FAULTS = (
    Fault(
        "learning_rate_too_high",
        "gradient descent",
        on("mlp", "deep mlp", "cnn", "lenet", "tanh"),
        {"x 30": faster(30), "x 100": faster(100), "x 1000": faster(1000)},
    ),
    Fault("learning_rate_too_high", "gradient descent", on("batch norm", "squares"), {"x 300": faster(300)}),
    Fault(
        "learning_rate_too_high",
        "late in training",
        on("mlp", "cnn", trained=150),
        {"x 50": faster(50)},
    ),
    Fault("learning_rate_too_high", "Adam", on("mlp", "lenet"), {"0.5": adam(0.5), "3": adam(3.0)}),
    Fault(
        "learning_rate_too_low",
        "gradient descent",
        on("mlp", "cnn", "sigmoid", "lenet", "batch norm"),
        {"x 1e-3": faster(1e-3), "x 1e-5": faster(1e-5), "x 1e-8": faster(1e-8)},
    ),
    Fault("learning_rate_too_low", "Adam", on("mlp", "tanh"), {"1e-7": adam(1e-7)}),
    Fault(
        "momentum_too_high",
        "heavy ball",
        on("mlp", "cnn", "tanh", "regression"),
        {"0.999": rolling(0.999), "0.9999": rolling(0.9999), "1": rolling(1.0)},
    ),
)
