"""Faults of the gradient and of how it is used."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.training_faults.codes import columns, dictionary, lenet, normalised, objects, regression
from benchmarks.training_faults.codes.code import Code, keys
from benchmarks.training_faults.plants.gradient import (
    accumulated,
    buffered,
    by_samples,
    delayed,
    first_batch_for_ever,
    first_parameters_for_ever,
    negated,
    skipping,
    steep,
    updated_too_early,
    updated_too_early_within,
    zeroed,
)
from benchmarks.training_faults.setups import Base, Build, Fault, Plant, claimed, on


def _bug(build: Any, bug: str, **options: Any) -> Plant:
    return Plant(code=lambda images, seed: build(images, seed, bug=bug, **options))


def _base(build: Any, **options: Any) -> Base:
    return Base(lambda images, seed: build(images, seed, **options))


def _first(code: Code) -> list[Any]:
    return code.weights[:1]


def _last(code: Code) -> list[Any]:
    return code.weights[-1:]


def _hidden(code: Code) -> list[Any]:
    return [*code.weights[:-1], *code.biases[:-1]]


def _all(code: Code) -> list[Any]:
    return keys(code.params)


def _wrong(
    name: str, build: Any, bug: str, precise: tuple[str, ...], definition: str = "", **options: Any
) -> Fault:
    return Fault(
        "gradient_wrong",
        name,
        (_base(build, **options),),
        {"as it is": _bug(build, bug, **options)},
        also=precise,
        definition=definition,
    )


_REAL = "the gradient is not that of the loss"
_MLP_L2, _REGRESSION_L2 = {"l2": 0.03}, {"l2": 0.02}
_regularised: Build = partial(dictionary.build, l2=0.03)
_STANDS = "the regulariser of the loss is not that of the gradient"

FAULTS = (
    Fault("sign_error", "all gradients", on("mlp", "cnn", "lenet", "regression"), {"negated": negated(_all)}),
    Fault(
        "sign_error", "uphill steps", on("mlp", "batch norm"), {"plain": steep(1.0), "momentum": steep(0.2, 0.9)}
    ),
    Fault(
        "sign_error",
        "one parameter",
        on("mlp", "cnn", "tanh"),
        {"the first weights": negated(_first), "the last": negated(_last)},
        also=("gradient_wrong",),
        definition=_REAL,
    ),
    Fault(
        "batch_scale_wrong",
        "a sum for a mean",
        on("mlp", "lenet") + on("cnn", "batch norm", size=64) + on("regression", size=128),
        {"N times": by_samples(1)},
        definition=_REAL,
    ),
    Fault(
        "batch_scale_wrong",
        "the mean of a mean",
        on("mlp", "sigmoid", size=64) + on("cnn"),
        {"1/N": by_samples(-1)},
        definition=_REAL,
    ),
    Fault(
        "layer_not_trained",
        "gradients of zero",
        on("mlp", "cnn", "lenet"),
        {"the first weights": zeroed(_first), "all hidden": zeroed(_hidden)},
        definition="a layer stays as it was drawn",
    ),
    Fault(
        "layer_not_trained",
        "left out of the update",
        on("mlp", "cnn", "batch norm", "sigmoid"),
        {"the first weights": skipping(_first), "the last": skipping(_last)},
        definition="a layer stays as it was drawn",
    ),
    Fault(
        "gradients_not_zeroed",
        "added up",
        on("mlp", "cnn", "sigmoid", "lenet"),
        {"a sum of all calls": claimed(accumulated), "in buffers": claimed(buffered)},
    ),
    Fault(
        "stale_gradient",
        "of an earlier call",
        on("mlp", "cnn", "tanh"),
        {"1 call": delayed(1), "5 calls": delayed(5)},
        definition="the gradient is that of another batch and of other parameters",
    ),
    Fault(
        "stale_gradient",
        "of the first call",
        on("mlp", "lenet"),
        {"batch": claimed(first_batch_for_ever), "parameters": claimed(first_parameters_for_ever)},
        definition="the gradient is that of another batch or of other parameters",
    ),
    Fault(
        "weights_updated_before_dx",
        "W2 first",
        on("mlp"),
        {"0.3": updated_too_early(1.0), "1": updated_too_early(3.0)},
        definition="the gradient passes through weights that have been changed",
        also=("gradient_wrong",),
    ),
    Fault(
        "weights_updated_before_dx",
        "W2 first, gradients beside it",
        on("mlp"),
        {"0.3": updated_too_early_within(1.0), "1": updated_too_early_within(3.0)},
        definition="the gradient passes through weights that have been changed",
    ),
    Fault(
        "missing_bias_gradient",
        "zero",
        on("mlp", "cnn", "sigmoid"),
        {"all biases": zeroed(lambda code: code.biases), "the first": zeroed(lambda code: code.biases[:1])},
        definition="biases stay at zero",
        also=("layer_not_trained",),
    ),
    Fault(
        "regulariser_gradient_wrong",
        "perceptron",
        (Base(_regularised),),
        {
            "missing": _bug(dictionary.build, "no regulariser", **_MLP_L2),
            "half": _bug(dictionary.build, "half regulariser", **_MLP_L2),
            "sign": _bug(dictionary.build, "regulariser sign", **_MLP_L2),
            "twice": _bug(dictionary.build, "twice", **_MLP_L2),
        },
        definition=_STANDS,
    ),
    Fault(
        "regulariser_gradient_wrong",
        "regression",
        (_base(regression.build, **_REGRESSION_L2),),
        {
            "missing": _bug(regression.build, "no regulariser", **_REGRESSION_L2),
            "half": _bug(regression.build, "half regulariser", **_REGRESSION_L2),
        },
        definition=_STANDS,
    ),
    _wrong(
        "mlp: no derivative",
        dictionary.build,
        "no derivative",
        ("missing_activation_derivative", "relu_mask_wrong_tensor"),
        _REAL,
    ),
    _wrong(
        "mlp: gate of dy",
        dictionary.build,
        "wrong gate",
        ("relu_mask_wrong_tensor", "activation_derivative_of_wrong_tensor"),
        _REAL,
    ),
    _wrong(
        "mlp: output for input",
        dictionary.build,
        "output for input",
        ("output_used_instead_of_input", "returns_wrong_variable"),
        _REAL,
    ),
    _wrong(
        "mlp: square weights transposed",
        dictionary.build,
        "transposed",
        ("weights_not_transposed", "weight_gradient_transposed", "channel_axes_not_swapped"),
        _REAL,
        hidden=(40, 40),
    ),
    _wrong(
        "mlp: last sample",
        dictionary.build,
        "last sample only",
        ("overwritten_in_batch_loop", "batch_sum_missing"),
        _REAL,
    ),
    _wrong("mlp: mean in db", dictionary.build, "bias mean", ("batch_scale_wrong",), _REAL),
    _wrong("columns: no slope", columns.build, "no slope", ("missing_activation_derivative",), _REAL),
    _wrong(
        "columns: slope of a",
        columns.build,
        "slope of the sum",
        ("activation_derivative_of_wrong_tensor", "activation_derivative_formula_wrong"),
        _REAL,
        hidden=(32, 24),
    ),
    _wrong(
        "columns: no last slope",
        columns.build,
        "no last slope",
        ("missing_activation_derivative",),
        _REAL,
        cost="squares",
    ),
    _wrong("cnn: kernel not turned", objects.build, "kernel not turned", ("kernel_not_rotated",), _REAL),
    _wrong("cnn: dw turned", objects.build, "gradient turned", ("kernel_gradient_flipped",), _REAL),
    _wrong("cnn: channels", objects.build, "channels summed", ("channels_mixed_in_weight_gradient",), _REAL),
    _wrong(
        "cnn: corner of the pool",
        objects.build,
        "pool corner",
        ("pool_window_offset_missing", "wrong_loop_variable_as_index"),
        _REAL,
    ),
    _wrong(
        "norm: statistics constant",
        normalised.build,
        "statistics are constants",
        ("bn_statistics_constant", "bn_count_wrong", "chain rule incomplete"),
        _REAL,
    ),
    _wrong("lenet: share of the pool", lenet.build, "pool not shared", ("avgpool_share_wrong",), _REAL),
    _wrong(
        "lenet: tanh of tanh",
        lenet.build,
        "tanh of tanh",
        ("activation_derivative_of_wrong_tensor", "activation_derivative_formula_wrong"),
        _REAL,
    ),
    _wrong("lenet: bias per image", lenet.build, "bias per image", ("batch_scale_wrong",), _REAL),
)
