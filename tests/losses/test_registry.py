from inspect import signature
from pathlib import Path

import numpy as np
import pytest

from tests.losses.shared import DTYPES, REDUCTIONS
from tests.ops.shared import ORDERS, TOLERANCE, assert_close, lay_out, refusal
from whygrad import losses
from whygrad.checking import Verdict, check_gradient, check_loss
from whygrad.errors import DataError, OptionError
from whygrad.losses import LOSSES, loss

KNOWN = 1e-9  # how well a right gradient must be known, relative to its largest entry
CASES = [
    pytest.param(entry.function, sample, id=f"{name} {i}")
    for name, entry in LOSSES.items()
    for i, sample in enumerate(entry.samples(np.random.default_rng(0)))
]
every_case = pytest.mark.parametrize(("function", "sample"), CASES)


def call(function, sample, prediction=None):
    prediction = sample.prediction if prediction is None else prediction
    return function(prediction, sample.target, **sample.options)


def verdict_on(function, sample, gradient):
    """Return what is found of a gradient, given the differences of its loss."""
    (row,) = check_gradient(
        lambda prediction: call(function, sample, prediction)[0], gradient, {"prediction": sample.prediction}
    )
    assert row.checked == row.entries == sample.prediction.size
    assert row.bound < KNOWN
    return row.verdict


def square(sample):
    """Return the sample cut down to two axes of one size, so that a transpose has its shape."""
    side = min(sample.prediction.shape[:2])
    target = np.asarray(sample.target)[:side]
    target = target[:, :side] if target.ndim == sample.prediction.ndim else np.minimum(target, side - 1)
    options = {name: v[:side] if name == "class_weights" else v for name, v in sample.options.items()}
    return sample._replace(prediction=sample.prediction[:side, :side].copy(), target=target, options=options)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name):
    report = check_loss(name)
    assert len(report.rows) == len(LOSSES[name].samples(np.random.default_rng(0)))
    assert all(row.checked == row.entries for row in report)
    assert {row.verdict for row in report} == {Verdict.RIGHT}, str(report)
    assert max(row.bound for row in report) < KNOWN


@pytest.mark.parametrize("mutate", [np.zeros_like, np.negative, lambda g: g / g.size], ids=["zero", "sign", "mean"])
@every_case
def test_a_planted_mistake_is_caught(function, sample, mutate):
    gradient = call(function, sample)[1]
    wrong = mutate(gradient)
    assert not np.array_equal(wrong, gradient)
    assert verdict_on(function, sample, wrong) is Verdict.WRONG


@every_case
def test_a_planted_transpose_is_caught(function, sample):
    sample = square(sample)
    gradient = call(function, sample)[1]
    wrong = np.swapaxes(gradient, 0, 1)
    assert wrong.shape == gradient.shape
    assert not np.allclose(wrong, gradient)
    assert verdict_on(function, sample, gradient) is Verdict.RIGHT
    assert verdict_on(function, sample, wrong) is Verdict.WRONG


@every_case
def test_float32_agrees_with_float64(function, sample):
    value, gradient = call(function, sample)
    rounded, rounded_gradient = call(function, sample, sample.prediction.astype(np.float32))
    assert rounded == pytest.approx(value, rel=TOLERANCE["float32"])
    assert_close(rounded_gradient, gradient, "float32")


@pytest.mark.parametrize("dtype", DTYPES)
@every_case
def test_value_is_a_number_and_the_gradient_keeps_shape_and_dtype(function, sample, dtype):
    value, gradient = call(function, sample, sample.prediction.astype(dtype))
    assert type(value) is float
    assert gradient.dtype == dtype
    assert gradient.shape == sample.prediction.shape


@every_case
def test_inputs_are_not_written_to_and_two_calls_are_equal(function, sample):
    prediction, target = sample.prediction.copy(), np.array(sample.target)
    options = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in sample.options.items()}
    for array in (prediction, target, *options.values()):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    first, second = (function(prediction, target, **options) for _ in range(2))
    np.testing.assert_equal(first, second)
    assert first[1].flags.writeable
    assert not np.shares_memory(first[1], prediction)
    assert not np.shares_memory(first[1], second[1])


@pytest.mark.parametrize("order", ORDERS)
@every_case
def test_memory_order_changes_nothing(function, sample, order):
    value, gradient = call(function, sample)
    target = np.asarray(sample.target)
    moved = sample._replace(target=lay_out(target, order if target.dtype.kind == "f" else "C"))
    again, gradient_again = call(function, moved, lay_out(sample.prediction, order))
    assert again == pytest.approx(value, rel=1e-14)
    assert_close(gradient_again, gradient)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@every_case
def test_an_empty_batch_adds_nothing(function, sample, reduction):
    options = {**sample.options, "reduction": reduction}
    value, gradient = function(sample.prediction[:0], np.asarray(sample.target)[:0], **options)
    assert value == 0
    assert gradient.shape == (0, *sample.prediction.shape[1:])


@every_case
def test_a_sum_adds_up_over_the_samples(function, sample):
    options = {**sample.options, "reduction": "sum"}
    whole, gradient = function(sample.prediction, sample.target, **options)
    parts = [
        function(sample.prediction[i : i + 1], np.asarray(sample.target)[i : i + 1], **options)
        for i in range(len(sample.prediction))
    ]
    assert whole == pytest.approx(sum(value for value, _ in parts), rel=1e-13)
    assert_close(np.concatenate([part for _, part in parts]), gradient)


@pytest.mark.parametrize("name", ["half_squared_error", "mean_squared_error"])
def test_targets_too_large_for_the_dtype_of_the_predictions_are_refused(name):
    with refusal(DataError, f"{name}: expected finite targets"):
        loss(name).function(np.zeros(2, np.float32), np.array([1e300, 0]))


def test_every_loss_is_registered_exported_and_tested_in_a_file_of_its_name():
    modules = {path.stem for path in Path(losses.__file__).parent.glob("*.py")} - {
        "__init__",
        "targets",
        "registry",
    }
    assert modules == set(LOSSES)
    for name, entry in LOSSES.items():
        assert getattr(losses, name) is entry.function is loss(name).function
        assert Path(__file__).with_name(f"test_{name}.py").is_file()
        assert signature(entry.function).parameters["reduction"].default in REDUCTIONS


def test_an_unknown_loss_is_refused_with_the_known_ones():
    with refusal(OptionError, "registry: expected one of binary_cross_entropy, cross_entropy, half_squared_error"):
        loss("l1")
