import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import (
    EXTREMES,
    assert_close,
    assert_elementwise_refusals,
    assert_pickles,
    shapes,
    sources,
)
from whygrad.ops import softplus


@needs_torch
@given(sources(), shapes(), st.sampled_from([1, 5, 100]))
def test_value_and_gradient_are_those_of_pytorch(source, shape, scale):
    # PyTorch goes over to y = x at the threshold, by default at 20, where eight digits are right.
    assert_agrees(softplus, lambda x: functional().softplus(x, threshold=40), source, scale * source.normal(*shape))


def test_rectifies_smoothly():
    # log(1 + e^log 3) = log 4, log(1 + e^−log 3) = log 4/3, and the slopes are 3/4 and 1/4
    log3 = 1.0986122886681098
    y, pullback = softplus(np.array([log3, 0.0, -log3]))
    assert_close(y, [1.3862943611198906, 0.6931471805599453, 0.28768207245178085])
    assert_close(pullback(np.array([4.0, 4.0, 4.0])), [3, 2, 1])


@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_entries(dtype, huge):
    y, pullback = softplus(np.array([-huge, 0, huge], dtype))
    assert_close(y / np.array([1, 1, huge], dtype), [0, 0.6931471805599453, 1], dtype)
    assert_close(pullback(np.ones(3, dtype)), [0, 0.5, 1], dtype)


def test_keeps_the_digits_of_small_values():
    y, _ = softplus(np.array([-50.0]))
    np.testing.assert_allclose(y, [1.9287498479639178e-22], rtol=1e-14)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("softplus", softplus)


def test_pullback_survives_pickling():
    _, pullback = softplus(np.array([-1.0, 2.0]))
    assert_pickles(pullback, np.array([3.0, 4.0]))
