import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, needs_torch
from tests.ops.shared import assert_close, assert_pickles, refusal, shapes, sources
from whygrad.errors import DTypeError, ShapeError
from whygrad.ops import scale


@needs_torch
@given(sources(), shapes(min_dims=2), st.randoms(use_true_random=False), st.booleans())
def test_value_and_gradients_are_those_of_pytorch_s_broadcasting(source, shape, random, with_bias):
    def part():
        return source.normal(*(n if random.random() < 0.5 else 1 for n in shape[1:]))

    inputs = [source.normal(*shape), part(), *([part()] if with_bias else [])]
    assert_agrees(scale, lambda x, w, b=0: x * w + b, source, *inputs)


def test_a_weight_of_size_1_serves_its_whole_axis_and_gets_the_sum_of_its_gradients():
    x = np.arange(12.0).reshape(2, 2, 3)
    y, pullback = scale(x, np.array([[10.0], [100.0]]), np.array([[1.0, 2, 3]]))
    assert_close(y[0], [[1, 12, 23], [301, 402, 503]])
    dx, dw, db = pullback(np.ones_like(x))
    assert_close(dx[1], [[10, 10, 10], [100, 100, 100]])
    assert_close(dw, [[0 + 1 + 2 + 6 + 7 + 8], [3 + 4 + 5 + 9 + 10 + 11]])
    assert_close(db, [[4, 4, 4]])


def test_a_scalar_sample_has_a_scalar_weight():
    y, pullback = scale(np.array([1.0, 2.0]), np.array(3.0))
    assert_close(y, [3, 6])
    _, dw, db = pullback(np.array([1.0, 10.0]))
    assert db is None
    assert_close(dw, 21)


def test_refuses_weights_that_do_not_fit():
    x = np.ones((2, 3, 4))
    remedy = "has the axes of one sample, without the batch axis"
    with refusal(
        ShapeError, f"scale: expected w of shape (3, 4), or 1 in any place of it, received (4,); w {remedy}"
    ):
        scale(x, np.ones(4))
    with refusal(ShapeError, "expected b of shape (3, 4), or 1 in any place of it, received (2, 3, 4)"):
        scale(x, np.ones((3, 4)), np.ones((2, 3, 4)))
    with refusal(ShapeError, "scale: expected x of shape (N, ...), received (); add a batch axis with x[None]"):
        scale(np.array(1.0), np.array(1.0))
    with refusal(DTypeError, "expected all arrays of one dtype (x is float64), received w of float32"):
        scale(x, np.ones((3, 4), np.float32))


def test_pullback_survives_pickling():
    assert_pickles(scale(np.ones((2, 3)), np.arange(3.0), np.ones(1))[1], np.ones((2, 3)))
