import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.losses.shared import DTYPES, REDUCTIONS, assert_agrees, assert_without_nan, extremes
from tests.ops.peers import functional, needs_torch, tensor
from tests.ops.shared import assert_close, refusal, shapes, sources
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError
from whygrad.losses import half_squared_error


@needs_torch
@given(sources(), shapes(min_dims=1), st.sampled_from(REDUCTIONS))
def test_loss_and_gradient_are_half_of_those_of_pytorch(source, shape, reduction):
    target = source.normal(*shape)
    by = shape[0] if reduction == "mean" else 1
    theirs = functional().mse_loss
    assert_agrees(
        lambda y: half_squared_error(y, target, reduction=reduction),
        lambda y: 0.5 * theirs(y, tensor(target), reduction="sum") / by,
        source.normal(*shape),
    )


def test_adds_up_everything_unless_told_otherwise():
    value, gradient = half_squared_error(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 0], [0, 5]]))
    assert value == 7
    np.testing.assert_array_equal(gradient, [[0, 2], [3, -1]])


def test_mean_is_over_samples_and_not_over_entries():
    value, gradient = half_squared_error(np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2)), reduction="mean")
    assert value == 7.5
    assert_close(gradient, [[0.5, 1], [1.5, 2]])


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.data())
def test_extreme_predictions_never_give_nan(dtype, data):
    y, target = data.draw(extremes(dtype, 2, 3)), data.draw(extremes(dtype, 2, 3))
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    assert_without_nan(lambda y: half_squared_error(y, target, reduction=reduction), y)


@pytest.mark.parametrize(
    ("error", "y", "target", "options", "text"),
    [
        (ShapeError, (), 0.0, {}, "predictions of shape (N, ...), received (); add a batch axis with y[None]"),
        (ShapeError, (2,), [[0.0, 1.0]], {}, "targets of shape (2,), received (1, 2); give every prediction"),
        (DTypeError, (2,), [None, 0], {}, "targets that are numbers, received object; convert the targets"),
        (DataError, (2,), [0, -np.inf], {}, "finite targets, received NaN, infinity or more than float64 holds"),
        (OptionError, (2,), [0, 1], {"reduction": "SUM"}, 'reduction "mean" or "sum", received \'SUM\''),
    ],
)
def test_refuses_what_it_cannot_measure(error, y, target, options, text):
    with refusal(error, f"half_squared_error: expected {text}"):
        half_squared_error(np.zeros(y), np.array(target), **options)


def test_refuses_integer_predictions():
    with refusal(DTypeError, "half_squared_error: expected y of dtype float32 or float64, received int64"):
        half_squared_error(np.zeros(2, int), np.zeros(2))
