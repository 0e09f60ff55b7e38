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
from whygrad.ops import softmax


@needs_torch
@given(sources(), shapes(min_dims=1), st.integers(-4, 3), st.sampled_from([1, 10]))
def test_value_and_gradient_are_those_of_pytorch_along_every_axis(source, shape, axis, scale):
    axis = max(-len(shape), min(axis, len(shape) - 1))
    x = scale * source.normal(*shape)
    assert_agrees(partial(softmax, axis=axis), lambda x: functional().softmax(x, dim=axis), source, x)


def test_turns_logarithms_of_counts_into_shares():
    y, pullback = softmax(np.log(np.array([[1.0, 2.0, 1.0], [1.0, 1.0, 8.0]])))
    assert_close(y, [[0.25, 0.5, 0.25], [0.1, 0.1, 0.8]])
    # dx = y (dy − Σ dy·y), with Σ dy·y = ½ and 3
    dx = pullback(np.array([[2.0, 0.0, 0.0], [6.0, 8.0, 2.0]]))
    assert_close(dx, [[0.375, -0.25, -0.125], [0.3, 0.5, -0.8]])


def test_gradient_of_the_sum_is_zero_since_the_sum_is_always_one():
    _, pullback = softmax(np.array([[1.0, -2.0, 0.5]]))
    assert_close(pullback(np.ones((1, 3))), np.zeros((1, 3)))


@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_scores(dtype, huge):
    y, pullback = softmax(np.array([[-huge, 0, huge], [huge, -huge, huge]], dtype))
    assert_close(y, [[0, 0, 1], [0.5, 0, 0.5]], dtype)
    dx = pullback(np.array([[1, 2, 3], [1, 2, 3]], dtype))
    assert_close(dx, [[0, 0, 0], [-0.5, 0, 0.5]], dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stays_finite_for_scores_at_both_ends_of_the_range(dtype):
    largest = np.finfo(dtype).max
    y, pullback = softmax(np.array([[-largest, largest]], dtype))
    assert_close(y, [[0, 1]], dtype)
    assert_close(pullback(np.ones((1, 2), dtype)), [[0, 0]], dtype)


@pytest.mark.parametrize("axis", [2, -3, 1.0, True])
def test_refuses_an_axis_that_the_scores_do_not_have(axis):
    with refusal(OptionError, f"softmax: expected axis from -2 to 1, received {axis!r}; name an axis"):
        softmax(np.ones((2, 3)), axis=axis)


def test_refuses_scores_of_no_class():
    with refusal(ShapeError, "softmax: expected at least one class along axis 1, received shape (2, 0)"):
        softmax(np.ones((2, 0)))


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("softmax", softmax)


def test_pullback_survives_pickling():
    _, pullback = softmax(np.array([[-1.0, 2.0]]))
    assert_pickles(pullback, np.array([[3.0, 4.0]]))
