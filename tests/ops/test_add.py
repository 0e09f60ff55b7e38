import numpy as np
import pytest
from hypothesis import given

from tests.ops.peers import assert_agrees, needs_torch, pytorch
from tests.ops.shared import assert_pickles, refusal, shapes, sources
from whygrad.errors import DTypeError, ShapeError
from whygrad.ops import add


@needs_torch
@given(sources(), shapes())
def test_value_and_gradients_are_those_of_pytorch(source, shape):
    assert_agrees(add, pytorch().add, source, source.normal(*shape), source.normal(*shape))


def test_adds_entry_by_entry_and_gives_both_branches_the_whole_gradient():
    y, pullback = add(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.testing.assert_array_equal(y, [4, 6])
    np.testing.assert_array_equal(pullback(np.array([5.0, 6.0])), [[5, 6], [5, 6]])


def test_the_gradients_share_no_memory_with_each_other_or_the_cotangent():
    dy = np.ones(2)
    da, db = add(np.ones(2), np.ones(2))[1](dy)
    assert not np.shares_memory(da, db)
    assert not np.shares_memory(da, dy)
    assert not np.shares_memory(db, dy)


def test_an_array_may_be_added_to_itself():
    x = np.array([1.0, 2.0])
    y, pullback = add(x, x)
    np.testing.assert_array_equal(y, [2, 4])
    assert sum(pullback(np.ones(2))).tolist() == [2, 2]


@pytest.mark.parametrize("other", [(3, 2), (3,), (1, 3), ()])
def test_refuses_shapes_that_differ_instead_of_broadcasting(other):
    with refusal(ShapeError, f"add: expected b of shape (2, 3), received {other}; make both branches end in one"):
        add(np.ones((2, 3)), np.ones(other))


def test_refuses_integers_and_dtypes_that_differ():
    with refusal(DTypeError, "add: expected b of dtype float32 or float64, received int64; convert it"):
        add(np.ones(2), np.ones(2, np.int64))
    with refusal(DTypeError, "add: expected all arrays of one dtype (a is float32), received b of float64"):
        add(np.ones(2, np.float32), np.ones(2))


def test_refuses_a_gradient_of_another_shape_than_the_value():
    with refusal(ShapeError, "add backward: expected dy of shape (2,), received (1,)"):
        add(np.ones(2), np.ones(2))[1](np.ones(1))


def test_pullback_survives_pickling():
    _, pullback = add(np.ones(2), np.ones(2))
    assert_pickles(pullback, np.array([3.0, 4.0]))
