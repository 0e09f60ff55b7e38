"""Faults of the numbers: what overflows, is divided by zero, rounds to nothing."""

from __future__ import annotations

import numpy as np

from benchmarks.training_faults.plants.numbers import (
    class_weighted,
    integer_pixels,
    integers,
    log_of_probabilities,
    normalised_from,
    one_hot_log,
    perceptron,
    perceptron_of_columns,
    preprocessed,
    rounding,
    sharpened,
    softplus,
    squares_in_half,
    standardised,
    unit_length,
)
from benchmarks.training_faults.setups import Base, Build, Fault, Plant, altered, on


def _plant(build: Build) -> dict[str, Plant]:
    return {"as it is": Plant(code=build)}


_IN_HALF = perceptron(dtype=np.float32)
FAULTS = (
    Fault(
        "log_of_zero",
        "ln of a probability of zero",
        (Base(sharpened(_IN_HALF, 40.0), size=256),),
        _plant(sharpened(log_of_probabilities, 40.0)),
        seeds=3,
    ),
    Fault(
        "log_of_zero",
        "0 times ln 0",
        (Base(sharpened(_IN_HALF, 40.0), size=64),),
        _plant(sharpened(one_hot_log, 40.0)),
        seeds=3,
    ),
    Fault(
        "log_of_zero",
        "binary cross-entropy",
        (Base(sharpened(perceptron_of_columns(cost="binary", dtype=np.float32), 12.0), size=64),),
        _plant(sharpened(perceptron_of_columns(cost="binary", dtype=np.float32, guard=0.0), 12.0)),
        seeds=3,
    ),
    Fault(
        "softmax_overflow",
        "no largest subtracted",
        (Base(sharpened(_IN_HALF, 30.0), size=64),),
        {
            "x 30": Plant(code=sharpened(perceptron(dtype=np.float32, head="unshifted"), 30.0)),
            "x 60": Plant(code=sharpened(perceptron(dtype=np.float32, head="unshifted"), 60.0)),
        },
        also=("overflow",),
        seeds=3,
    ),
    Fault(
        "softmax_overflow",
        "in float64",
        (Base(sharpened(perceptron(), 300.0), size=64),),
        _plant(sharpened(perceptron(head="unshifted"), 300.0)),
        also=("overflow",),
    ),
    Fault(
        "overflow",
        "softplus as ln(1 + e^z)",
        (Base(softplus(np.float32, True)),),
        _plant(softplus(np.float32, False)),
        seeds=3,
    ),
    Fault(
        "overflow",
        "squares in float16",
        on("squares", size=64),
        {"x 100": Plant(code=squares_in_half(100.0)), "x 200": Plant(code=squares_in_half(200.0))},
        also=("float32_precision",),
        definition="the loss is infinite in float16, so that nobody sees what the training does",
    ),
    Fault(
        "division_by_zero",
        "pixels by their deviation",
        (Base(standardised(1e-2)),),
        _plant(standardised(0.0)),
        seeds=3,
    ),
    Fault(
        "division_by_zero",
        "images by their length",
        (Base(unit_length(1e-6, 0.93), size=64),),
        {"nothing above 0.999": Plant(code=unit_length(0.0, 0.999))},
        seeds=3,
    ),
    Fault(
        "division_by_zero",
        "classes by their number",
        (Base(class_weighted(1.0), size=16),),
        _plant(class_weighted(0.0)),
        definition="0/0 or 0 times infinity for a class that the batch does not have",
    ),
    Fault(
        "float32_precision",
        "variance as a difference of large numbers",
        (Base(normalised_from(3000.0, np.float64, True)),),
        _plant(normalised_from(3000.0, np.float32, True)),
        also=("input_not_normalised",),
        seeds=3,
    ),
    Fault(
        "float32_precision",
        "updates that round to nothing",
        on("mlp", "tanh", factor=0.03),
        {"eight binary digits": altered(rounding)},
        steps=1500,
    ),
    Fault(
        "integer_truncation",
        "an integer rate",
        on("mlp", "cnn", "lenet"),
        {"int(rate)": integers(False)},
        also=("layer_not_trained",),
    ),
    Fault("integer_truncation", "integer weights", on("mlp", "tanh"), {"int64": integers(True)}),
    Fault(
        "integer_truncation",
        "bytes divided by a whole number",
        (Base(preprocessed(lambda x: x)),),
        {"255": Plant(code=integer_pixels(255)), "300": Plant(code=integer_pixels(300))},
        also=("constant_features",),
    ),
)
