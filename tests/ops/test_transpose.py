import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.shared import assert_pickles, refusal, shapes, sources
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import transpose


@given(sources(), shapes(min_dims=1, max_dims=5), st.randoms(use_true_random=False))
def test_axes_change_places_and_gradients_come_back(source, shape, random):
    axes = list(range(1, len(shape)))
    random.shuffle(axes)
    x = source.normal(*shape)
    y, pullback = transpose(x, axes=(0, *axes))
    np.testing.assert_array_equal(y, np.transpose(x, (0, *axes)))
    for index in np.ndindex(*y.shape):
        at = [0] * len(shape)
        for axis, i in zip((0, *axes), index, strict=True):
            at[axis] = i
        assert y[index] == x[tuple(at)]
    np.testing.assert_array_equal(pullback(y), x)


def test_the_gradient_is_a_copy():
    y, pullback = transpose(np.ones((2, 3, 4)), axes=(0, 2, 1))
    assert not np.shares_memory(pullback(y), y)


@pytest.mark.parametrize("axes", [(1, 0, 2), (0, 1), (0, 1, 1), (0, 2, 3), (), 3, (0, 1.0, 2)])
def test_refuses_axes_that_move_the_batch_or_are_no_order(axes):
    with pytest.raises((OptionError, ShapeError), match="transpose: expected"):
        transpose(np.ones((2, 3, 4)), axes=axes)


def test_says_how_many_axes_there_are():
    with refusal(ShapeError, "transpose: expected x of 2 axes, received (2, 3, 4); name every axis of x once"):
        transpose(np.ones((2, 3, 4)), axes=(0, 1))


def test_pullback_survives_pickling():
    assert_pickles(transpose(np.ones((2, 3, 4)), axes=(0, 2, 1))[1], np.ones((2, 4, 3)))
