from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, needs_torch, pytorch
from tests.ops.shared import assert_pickles, refusal, shapes, sources
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.ops import concat


@needs_torch
@given(sources(), shapes(min_dims=1), st.integers(-4, 3), st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_value_and_gradients_are_those_of_pytorch_along_every_axis(source, shape, axis, widths):
    axis = max(-len(shape), min(axis, len(shape) - 1))
    arrays = []
    for width in widths:
        own = list(shape)
        own[axis] = width
        arrays.append(source.normal(*own))
    assert_agrees(partial(concat, axis=axis), lambda *xs: pytorch().cat(xs, dim=axis), source, *arrays)


def test_lays_arrays_side_by_side_and_gives_each_its_own_part():
    y, pullback = concat(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    np.testing.assert_array_equal(y, [[1, 3, 4], [2, 5, 6]])
    first, second = pullback(np.array([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0]]))
    np.testing.assert_array_equal(first, [[10], [40]])
    np.testing.assert_array_equal(second, [[20, 30], [50, 60]])


def test_a_negative_axis_counts_from_the_end():
    a, b = np.zeros((2, 3, 4)), np.ones((2, 3, 1))
    y, pullback = concat(a, b, axis=-1)
    assert y.shape == (2, 3, 5)
    assert [part.shape for part in pullback(y)] == [(2, 3, 4), (2, 3, 1)]


def test_a_single_array_gives_a_tuple_of_one_gradient():
    y, pullback = concat(np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(y, [[1, 2]])
    (dx,) = pullback(np.array([[3.0, 4.0]]))
    np.testing.assert_array_equal(dx, [[3, 4]])


def test_the_value_and_the_gradients_are_copies():
    x, dy = np.zeros((1, 2)), np.zeros((1, 2))
    y, pullback = concat(x)
    assert not np.shares_memory(y, x)
    assert not np.shares_memory(pullback(dy)[0], dy)


@pytest.mark.parametrize("other", [(3, 3), (2, 3, 1), (2,)])
def test_refuses_shapes_that_differ_elsewhere(other):
    expected = f"arrays[1] of shape (2, 3) but for axis 1, received {other}; make the other axes agree"
    with refusal(ShapeError, f"concat: expected {expected}"):
        concat(np.ones((2, 3)), np.ones(other))


def test_refuses_to_concatenate_nothing():
    with refusal(ShapeError, "concat: expected at least one array, received none; pass the arrays one by one"):
        concat()


@pytest.mark.parametrize("axis", [2, -3, True])
def test_refuses_an_axis_that_the_arrays_do_not_have(axis):
    with refusal(
        OptionError, f"concat: expected axis from -2 to 1, received {axis!r}; name an axis that the array"
    ):
        concat(np.ones((2, 3)), axis=axis)


def test_refuses_integers_and_dtypes_that_differ():
    x = np.ones((2, 3), np.float32)
    with refusal(DTypeError, "concat: expected arrays[1] of dtype float32 or float64, received int32; convert it"):
        concat(x, x.astype(np.int32))
    with refusal(DTypeError, "all arrays of one dtype (arrays[0] is float32), received arrays[1] of float64"):
        concat(x, x.astype(np.float64))


def test_refuses_a_gradient_of_another_shape_than_the_value():
    with refusal(ShapeError, "concat backward: expected dy of shape (2, 6), received (2, 3)"):
        concat(np.ones((2, 3)), np.ones((2, 3)))[1](np.ones((2, 3)))


def test_pullback_survives_pickling():
    y, pullback = concat(np.ones((2, 3)), np.ones((2, 1)))
    assert_pickles(pullback, y)
