import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import assert_elementwise_refusals, assert_pickles, shapes, sources
from whygrad.ops import relu


@needs_torch
@given(sources(), shapes(), st.booleans())
def test_value_and_gradient_are_those_of_pytorch_at_the_kink_too(source, shape, at_whole_numbers):
    x = source.integers(*shape) if at_whole_numbers else source.normal(*shape)
    assert_agrees(relu, functional().relu, source, x)


def test_cuts_off_negative_entries_and_their_gradient():
    y, pullback = relu(np.array([-2.0, 0.0, 3.0]))
    np.testing.assert_array_equal(y, [0, 0, 3])
    np.testing.assert_array_equal(pullback(np.array([5.0, 6.0, 7.0])), [0, 0, 7])


def test_closes_the_gate_for_the_dead_units_of_a_filter_response():
    y, pullback = relu(np.array([[3.0, 0.0], [-2.0, 1.0]]))
    np.testing.assert_array_equal(y, [[3, 0], [0, 1]])
    np.testing.assert_array_equal(pullback(np.array([[2.0, 1.0], [4.0, 0.0]])), [[2, 0], [0, 0]])


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("relu", relu)


def test_pullback_survives_pickling():
    _, pullback = relu(np.array([-1.0, 2.0]))
    assert_pickles(pullback, np.array([3.0, 4.0]))
