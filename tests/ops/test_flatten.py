import numpy as np
from hypothesis import given

from tests.ops.peers import assert_agrees, needs_torch, pytorch
from tests.ops.shared import Source, assert_elementwise_refusals, assert_pickles, refusal, shapes, sources
from whygrad.errors import ShapeError
from whygrad.ops import flatten


@needs_torch
@given(sources(), shapes(min_dims=2))
def test_value_and_gradient_are_those_of_pytorch_in_every_memory_order(source, shape):
    assert_agrees(flatten, lambda x: pytorch().flatten(x, 1), source, source.normal(*shape))


def test_the_last_axis_runs_fastest():
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    y, pullback = flatten(x.transpose(0, 1, 3, 2))
    np.testing.assert_array_equal(y[0], [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11])
    np.testing.assert_array_equal(pullback(y), x.transpose(0, 1, 3, 2))


def test_a_batch_of_numbers_becomes_a_column():
    y, pullback = flatten(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(y, [[1], [2]])
    np.testing.assert_array_equal(pullback(np.array([[3.0], [4.0]])), [3, 4])


def test_an_empty_batch_keeps_its_number_of_features():
    y, pullback = flatten(np.zeros((0, 3, 4)))
    assert y.shape == (0, 12)
    assert pullback(y).shape == (0, 3, 4)


def test_refuses_a_single_number():
    with refusal(ShapeError, "flatten: expected x of shape (N, ...), received (); add a batch axis with x[None]"):
        flatten(np.array(1.0))


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("flatten", flatten)


def test_pullback_survives_pickling():
    y, pullback = flatten(Source(0).normal(2, 3, 4))
    assert_pickles(pullback, y)
