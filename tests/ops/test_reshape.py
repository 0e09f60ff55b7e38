import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.shared import assert_pickles, refusal, shapes, sources
from whygrad.engines import engine
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import reshape


@given(
    sources(), shapes(min_dims=1), st.randoms(use_true_random=False), st.sampled_from(["compiled", "definition"])
)
def test_entries_keep_their_order_and_their_bits(source, shape, random, name):
    other = list(shape[1:]) + [1] * random.randrange(2)
    random.shuffle(other)
    x = source.normal(*shape)
    with engine(name):
        y, pullback = reshape(x, shape=tuple(other))
        np.testing.assert_array_equal(y, x.reshape(shape[0], *other))
        dy = source.normal(*y.shape)
        np.testing.assert_array_equal(pullback(dy), dy.reshape(shape))


def test_a_sample_may_become_a_single_number():
    y, pullback = reshape(np.array([[[1.0]], [[2.0]]]), shape=())
    assert y.tolist() == [1, 2]
    assert pullback(y).shape == (2, 1, 1)


def test_the_gradient_is_a_copy():
    y, pullback = reshape(np.ones((2, 6)), shape=(2, 3))
    dx = pullback(y)
    assert not np.shares_memory(dx, y)


def test_refuses_another_number_of_entries():
    expected = (
        "reshape: expected a shape of 6 entries, as samples of (2, 3) have, received (4, 2) of 8; change shape"
    )
    with refusal(ShapeError, expected):
        reshape(np.ones((5, 2, 3)), shape=(4, 2))


@pytest.mark.parametrize("shape", [6, "ab", (-1,), (2.0, 3)])
def test_refuses_what_is_no_shape(shape):
    with pytest.raises(OptionError, match="reshape: expected shape"):
        reshape(np.ones((5, 6)), shape=shape)


def test_pullback_survives_pickling():
    assert_pickles(reshape(np.ones((2, 6)), shape=(2, 3))[1], np.ones((2, 2, 3)))
