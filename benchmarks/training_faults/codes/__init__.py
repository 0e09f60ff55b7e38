"""Trainings as people write them: each file in the manner of somebody else, with places for mistakes."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.training_faults.codes import columns, dictionary, lenet, normalised, objects, regression
from benchmarks.training_faults.codes.code import Code
from benchmarks.training_faults.images import Images

#: By name: a healthy network of each manner.
CODES: dict[str, Callable[[Images, int], Code]] = {
    "mlp": dictionary.build,
    "deep mlp": lambda images, seed: dictionary.build(images, seed, (40, 40, 30)),
    "sigmoid": columns.build,
    "tanh": lambda images, seed: columns.build(images, seed, (32, 24), unit="tanh"),
    "squares": lambda images, seed: columns.build(images, seed, cost="squares"),
    "cnn": objects.build,
    "batch norm": normalised.build,
    "lenet": lenet.build,
    "regression": regression.build,
}
