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
from whygrad.ops import silu


@needs_torch
@given(sources(), shapes(), st.sampled_from([1, 5, 100]))
def test_value_and_gradient_are_those_of_pytorch(source, shape, scale):
    assert_agrees(silu, functional().silu, source, scale * source.normal(*shape))


def test_gates_an_entry_by_its_own_sigmoid():
    # σ(log 3) = 3/4, so y = ¾ log 3 and dy/dx = ¾ (1 + ¼ log 3)
    log3 = 1.0986122886681098
    y, pullback = silu(np.array([log3, 0.0]))
    assert_close(y, [0.8239592165010823, 0])
    assert_close(pullback(np.array([16.0, 16.0])), [12 + 3 * log3, 8])


@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_entries(dtype, huge):
    y, pullback = silu(np.array([-huge, 0, huge], dtype))
    assert_close(y / np.array([1, 1, huge], dtype), [0, 0, 1], dtype)
    assert_close(pullback(np.ones(3, dtype)), [0, 0.5, 1], dtype)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("silu", silu)


def test_pullback_survives_pickling():
    _, pullback = silu(np.array([-1.0, 2.0]))
    assert_pickles(pullback, np.array([3.0, 4.0]))
