from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import assert_elementwise_refusals, assert_pickles, refusal, shapes, sources
from whygrad.errors import OptionError
from whygrad.ops import leaky_relu


@needs_torch
@given(sources(), shapes(), st.booleans(), st.sampled_from([0.01, 0.3, 0.0, -0.5, 2.0]))
def test_value_and_gradient_are_those_of_pytorch_at_the_kink_too(source, shape, at_whole_numbers, slope):
    x = source.integers(*shape) if at_whole_numbers else source.normal(*shape)
    ours = partial(leaky_relu, negative_slope=slope)
    assert_agrees(ours, lambda x: functional().leaky_relu(x, slope), source, x)


def test_shrinks_negative_entries_and_their_gradient():
    y, pullback = leaky_relu(np.array([-2.0, 0.0, 3.0]), negative_slope=0.25)
    np.testing.assert_array_equal(y, [-0.5, 0, 3])
    np.testing.assert_array_equal(pullback(np.array([4.0, 8.0, 7.0])), [1, 2, 7])


def test_slope_is_a_hundredth_unless_told_otherwise():
    y, pullback = leaky_relu(np.array([-1.0]))
    assert (y.item(), pullback(np.ones(1)).item()) == (-0.01, 0.01)


@pytest.mark.parametrize("slope", [np.nan, np.inf, "steep", None, True])
def test_refuses_a_slope_that_is_not_a_finite_number(slope):
    with refusal(OptionError, f"leaky_relu: expected negative_slope in [-1e+30, 1e+30], received {slope!r}"):
        leaky_relu(np.ones(2), negative_slope=slope)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("leaky_relu", leaky_relu)


def test_pullback_survives_pickling():
    _, pullback = leaky_relu(np.array([-1.0, 2.0]))
    assert_pickles(pullback, np.array([3.0, 4.0]))


def test_large_positive_entries_never_meet_the_slope():
    y, pullback = leaky_relu(np.array([1e30], np.float32), negative_slope=1e10)
    assert y == pullback(np.array([1e30], np.float32)) == np.float32(1e30)
