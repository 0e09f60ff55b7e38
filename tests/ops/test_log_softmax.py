from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import (
    EXTREMES,
    assert_close,
    assert_elementwise_refusals,
    assert_pickles,
    refusal,
    shapes,
    sources,
)
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import log_softmax


@needs_torch
@given(sources(), shapes(min_dims=1), st.integers(-4, 3), st.sampled_from([1, 10]))
def test_value_and_gradient_are_those_of_pytorch_along_every_axis(source, shape, axis, scale):
    axis = max(-len(shape), min(axis, len(shape) - 1))
    x = scale * source.normal(*shape)
    assert_agrees(partial(log_softmax, axis=axis), lambda x: functional().log_softmax(x, dim=axis), source, x)


def test_takes_the_logarithm_of_shares():
    y, pullback = log_softmax(np.log(np.array([[1.0, 2.0, 1.0]])))
    assert_close(y, [[-1.3862943611198906, -0.6931471805599453, -1.3862943611198906]])
    # dx = dy − softmax · Σ dy
    assert_close(pullback(np.array([[4.0, 0.0, 0.0]])), [[3, -2, -1]])


def test_is_exact_where_the_probability_underflows():
    y, pullback = log_softmax(np.array([[0.0, 1000.0]]))
    np.testing.assert_array_equal(y, [[-1000, 0]])
    np.testing.assert_array_equal(pullback(np.array([[1.0, 0.0]])), [[1, -1]])


@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_scores(dtype, huge):
    y, pullback = log_softmax(np.array([[-huge, 0, huge], [huge, huge, huge]], dtype))
    assert_close(y[0] / np.dtype(dtype).type(huge), [-2, -1, 0], dtype)
    assert_close(y[1], [-np.log(3)] * 3, dtype)
    dx = pullback(np.array([[1, 2, 3], [1, 2, 3]], dtype))
    assert_close(dx, [[1, 2, -3], [-1, 0, 1]], dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_never_nan_for_scores_at_both_ends_of_the_range(dtype):
    largest = np.finfo(dtype).max
    y, pullback = log_softmax(np.array([[-largest, largest]], dtype))
    np.testing.assert_array_equal(y, np.array([[-np.inf, 0]], dtype))
    assert_close(pullback(np.array([[1, 0]], dtype)), [[1, -1]], dtype)


@pytest.mark.parametrize("axis", [2, -3, 1.0, True])
def test_refuses_an_axis_that_the_scores_do_not_have(axis):
    with refusal(OptionError, f"log_softmax: expected axis from -2 to 1, received {axis!r}; name an axis"):
        log_softmax(np.ones((2, 3)), axis=axis)


def test_refuses_scores_of_no_class():
    with refusal(ShapeError, "log_softmax: expected at least one class along axis 1, received shape (2, 0)"):
        log_softmax(np.ones((2, 0)))


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("log_softmax", log_softmax)


def test_pullback_survives_pickling():
    _, pullback = log_softmax(np.array([[-1.0, 2.0]]))
    assert_pickles(pullback, np.array([[3.0, 4.0]]))


def test_a_score_of_minus_infinity_has_the_logarithm_of_no_chance():
    y, pullback = log_softmax(np.array([[-np.inf, 0.0, 0.0]]))
    np.testing.assert_allclose(y, [[-np.inf, -np.log(2), -np.log(2)]])
    np.testing.assert_allclose(pullback(np.array([[0.0, 1.0, 0.0]])), [[0, 0.5, -0.5]])
