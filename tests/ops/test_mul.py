import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, needs_torch
from tests.ops.shared import assert_close, assert_pickles, refusal, shapes, sources
from whygrad.errors import DTypeError, ShapeError
from whygrad.ops import mul


@needs_torch
@given(sources(), shapes(), st.randoms(use_true_random=False), st.booleans())
def test_value_and_gradients_are_those_of_pytorch(source, shape, random, alike):
    gate = [n if alike or random.random() < 0.5 else 1 for n in shape]
    assert_agrees(mul, lambda a, b: a * b, source, source.normal(*shape), source.normal(*gate))


def test_a_gate_for_each_channel_scales_its_pixels_and_gets_their_gradients():
    x = np.arange(8.0).reshape(1, 2, 2, 2)
    y, pullback = mul(x, np.array([10.0, 0.5]).reshape(1, 2, 1, 1))
    assert_close(y[0], [[[0, 10], [20, 30]], [[2, 2.5], [3, 3.5]]])
    da, db = pullback(np.ones_like(x))
    assert_close(da[0, :, 0, 0], [10, 0.5])
    assert_close(db.ravel(), [6, 22])


def test_refuses_shapes_that_do_not_fit():
    remedy = "make both branches end in one shape, or the gate in one with 1 in places"
    for gate in ((3,), (2, 4), (2, 3, 1)):
        expected = f"mul: expected b of shape (2, 3), or 1 in any place of it, received {gate}; {remedy}"
        with refusal(ShapeError, expected):
            mul(np.ones((2, 3)), np.ones(gate))
    with refusal(DTypeError, "expected all arrays of one dtype (a is float64), received b of float32"):
        mul(np.ones(2), np.ones(2, np.float32))


def test_pullback_survives_pickling():
    assert_pickles(mul(np.ones((2, 3)), np.ones((2, 1)))[1], np.ones((2, 3)))
