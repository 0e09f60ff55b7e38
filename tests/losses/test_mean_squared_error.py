import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.losses.shared import DTYPES, REDUCTIONS, assert_agrees, assert_without_nan, extremes
from tests.ops.peers import functional, needs_torch, tensor
from tests.ops.shared import assert_close, refusal, shapes, sources
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError
from whygrad.losses import mean_squared_error


@needs_torch
@given(sources(), shapes(min_dims=1), st.sampled_from(REDUCTIONS))
def test_loss_and_gradient_are_those_of_pytorch(source, shape, reduction):
    target = source.normal(*shape)
    theirs = functional().mse_loss
    assert_agrees(
        lambda y: mean_squared_error(y, target, reduction=reduction),
        lambda y: theirs(y, tensor(target), reduction=reduction),
        source.normal(*shape),
    )


@pytest.mark.parametrize(("reduction", "by"), [("mean", 4), ("sum", 1)])
def test_is_the_squared_distance_over_the_number_of_entries(reduction, by):
    y, target = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 0], [0, 5]])
    value, gradient = mean_squared_error(y, target, reduction=reduction)
    assert value == 14 / by
    assert_close(gradient, np.array([[0, 4], [6, -2]]) / by)


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.data())
def test_extreme_predictions_never_give_nan(dtype, data):
    y, target = data.draw(extremes(dtype, 2, 3)), data.draw(extremes(dtype, 2, 3))
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    assert_without_nan(lambda y: mean_squared_error(y, target, reduction=reduction), y)


@pytest.mark.parametrize(
    ("error", "target", "options", "text"),
    [
        (ShapeError, [[0.0, 1.0]], {}, "targets of shape (2,), received (1, 2); give every prediction its target"),
        (DTypeError, [1j, 0], {}, "targets that are numbers, received complex128; convert the targets"),
        (
            DataError,
            [0, np.inf],
            {},
            "finite targets, received NaN, infinity or more than float64 holds; look for the sample",
        ),
        (OptionError, [0, 1], {"reduction": None}, 'reduction "mean" or "sum", received None'),
    ],
)
def test_refuses_what_it_cannot_measure(error, target, options, text):
    with refusal(error, f"mean_squared_error: expected {text}"):
        mean_squared_error(np.zeros(2), np.array(target), **options)


def test_refuses_integer_predictions():
    with refusal(DTypeError, "mean_squared_error: expected y of dtype float32 or float64, received int64"):
        mean_squared_error(np.zeros(2, int), np.zeros(2))
