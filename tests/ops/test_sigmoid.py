import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, needs_torch, pytorch
from tests.ops.shared import (
    EXTREMES,
    assert_close,
    assert_elementwise_refusals,
    assert_pickles,
    shapes,
    sources,
)
from whygrad.ops import sigmoid


@needs_torch
@given(sources(), shapes(), st.sampled_from([1, 5, 100]))
def test_value_and_gradient_are_those_of_pytorch(source, shape, scale):
    assert_agrees(sigmoid, pytorch().sigmoid, source, scale * source.normal(*shape))


def test_squashes_log_odds_into_probabilities():
    y, pullback = sigmoid(np.log(np.array([1.0, 3.0, 0.25])))
    assert_close(y, [0.5, 0.75, 0.2])
    assert_close(pullback(np.array([1.0, 16.0, 100.0])), [0.25, 3, 16])


def test_gives_the_deltas_before_the_unit_that_a_hand_calculation_gives():
    outputs = np.array([0.58, 0.57, 0.65, 0.55])
    _, pullback = sigmoid(np.log(outputs / (1 - outputs)))
    from_the_dense_layer = np.array([0.1495, 0.28, 0.2055, -0.2755])
    assert_close(pullback(from_the_dense_layer), [0.0364182, 0.068628, 0.04675125, -0.06818625])


@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_entries(dtype, huge):
    y, pullback = sigmoid(np.array([-huge, 0, huge], dtype))
    assert_close(y, [0, 0.5, 1], dtype)
    assert_close(pullback(np.ones(3, dtype)), [0, 0.25, 0], dtype)


def test_keeps_the_digits_of_small_probabilities():
    y, pullback = sigmoid(np.array([-700.0]))
    np.testing.assert_allclose(y, np.exp([-700.0]), rtol=1e-14)
    np.testing.assert_allclose(pullback(np.ones(1)), np.exp([-700.0]), rtol=1e-14)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("sigmoid", sigmoid)


def test_pullback_survives_pickling():
    _, pullback = sigmoid(np.array([-1.0, 2.0]))
    assert_pickles(pullback, np.array([3.0, 4.0]))
