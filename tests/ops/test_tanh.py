import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, needs_torch, pytorch
from tests.ops.shared import (
    EXTREMES,
    assert_close,
    assert_elementwise_refusals,
    assert_pickles,
    shapes,
    sources,
)
from whygrad.ops import tanh


@needs_torch
@given(sources(), shapes(), st.sampled_from([1, 5, 100]))
def test_value_and_gradient_are_those_of_pytorch(source, shape, scale):
    assert_agrees(tanh, pytorch().tanh, source, scale * source.normal(*shape))


def test_squashes_symmetrically():
    # tanh(½ log 3) = (3 − 1)/(3 + 1) = ½, with slope 1 − ¼
    half_log3 = 0.5493061443340549
    y, pullback = tanh(np.array([-half_log3, 0.0, half_log3]))
    assert_close(y, [-0.5, 0, 0.5])
    assert_close(pullback(np.array([4.0, 5.0, 8.0])), [3, 5, 6])


@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_entries(dtype, huge):
    y, pullback = tanh(np.array([-huge, 0, huge], dtype))
    assert_close(y, [-1, 0, 1], dtype)
    assert_close(pullback(np.ones(3, dtype)), [0, 1, 0], dtype)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("tanh", tanh)


def test_pullback_survives_pickling():
    _, pullback = tanh(np.array([-1.0, 2.0]))
    assert_pickles(pullback, np.array([3.0, 4.0]))
