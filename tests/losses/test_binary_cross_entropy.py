import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.losses.shared import DTYPES, REDUCTIONS, assert_agrees, assert_without_nan, extremes
from tests.ops.peers import functional, needs_torch, tensor
from tests.ops.shared import assert_close, refusal, shapes, sources
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError
from whygrad.losses import binary_cross_entropy


@needs_torch
@given(sources(), shapes(min_dims=1), st.sampled_from(REDUCTIONS), st.booleans())
def test_loss_and_gradient_are_those_of_pytorch(source, shape, reduction, hard):
    target = source.rng.uniform(0, 1, shape)
    target = (target > 0.5).astype(int) if hard else target
    theirs = functional().binary_cross_entropy_with_logits
    assert_agrees(
        lambda z: binary_cross_entropy(z, target, reduction=reduction),
        lambda z: theirs(z, tensor(target), reduction=reduction),
        source.normal(*shape),
    )


def test_is_minus_the_logarithm_of_the_probability_of_the_target():
    logits = np.log(np.array([[3.0, 1.0], [0.25, 4.0]]))
    value, gradient = binary_cross_entropy(logits, np.array([[1, 0], [0, 1]]), reduction="sum")
    assert value == pytest.approx(-np.log(0.75 * 0.5 * 0.8 * 0.8), abs=1e-14)
    assert_close(gradient, [[-0.25, 0.5], [0.2, -0.2]])


def test_mean_is_over_every_entry():
    value, gradient = binary_cross_entropy(np.zeros((2, 3)), np.full((2, 3), 0.5))
    assert value == pytest.approx(np.log(2), abs=1e-14)
    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.data())
def test_extreme_logits_never_give_nan(dtype, data):
    logits, reduction = data.draw(extremes(dtype, 2, 3)), data.draw(st.sampled_from(REDUCTIONS))
    target = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6))).reshape(2, 3)
    assert_without_nan(lambda z: binary_cross_entropy(z, target, reduction=reduction), logits)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_largest_logits_that_are_right_cost_nothing(dtype):
    largest = np.finfo(dtype).max
    value, gradient = binary_cross_entropy(np.array([largest, -largest]), np.array([1, 0]))
    assert value == 0
    np.testing.assert_array_equal(gradient, [0, 0])


@pytest.mark.parametrize(
    ("error", "target", "options", "text"),
    [
        (ShapeError, [0.0], {}, "targets of shape (2,), received (1,); give every prediction its target"),
        (DTypeError, ["a", "b"], {}, "targets that are numbers, received <U1; convert the targets"),
        (DataError, [-1, 1], {}, "targets from 0 to 1, received -1 to 1; use 0 and 1, not -1 and 1"),
        (DataError, [0, 7], {}, "targets from 0 to 1, received 0 to 7"),
        (DataError, [0, np.nan], {}, "finite targets, received NaN, infinity or more than float64 holds"),
        (OptionError, [0, 1], {"reduction": "none"}, 'reduction "mean" or "sum", received \'none\''),
    ],
)
def test_refuses_what_it_cannot_measure(error, target, options, text):
    with refusal(error, f"binary_cross_entropy: expected {text}"):
        binary_cross_entropy(np.zeros(2), np.array(target), **options)


def test_refuses_integer_logits():
    with refusal(DTypeError, "binary_cross_entropy: expected logits of dtype float32 or float64, received int64"):
        binary_cross_entropy(np.zeros(2, int), np.zeros(2))
