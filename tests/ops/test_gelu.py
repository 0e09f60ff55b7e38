from functools import partial

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
    refusal,
    shapes,
    sources,
)
from whygrad.errors import OptionError
from whygrad.ops import gelu

APPROXIMATIONS = ("none", "tanh")


@needs_torch
@given(sources(), shapes(), st.sampled_from(APPROXIMATIONS), st.sampled_from([1, 4, 20]))
def test_value_and_gradient_are_those_of_pytorch(source, shape, approximate, scale):
    x = scale * source.normal(*shape)
    peer = partial(functional().gelu, approximate=approximate)
    assert_agrees(partial(gelu, approximate=approximate), peer, source, x)


def test_exact_unit_weighs_by_the_normal_distribution():
    # Φ(1) = 0.841344746068543 and φ(1) = 0.241970724519143
    y, pullback = gelu(np.array([-1.0, 0.0, 1.0]))
    assert_close(y, [-0.158655253931457, 0, 0.841344746068543])
    assert_close(pullback(np.ones(3)), [0.158655253931457 - 0.241970724519143, 0.5, 1.083315470587686])


def test_approximation_follows_its_own_formula():
    # u(1) = √(2/π) · 1.044715 = 0.833562490793, tanh u = 0.682383981548
    y, pullback = gelu(np.array([-1.0, 0.0, 1.0]), approximate="tanh")
    np.testing.assert_allclose(y, [-0.158808009, 0, 0.841191991], atol=1e-9)
    np.testing.assert_allclose(pullback(np.ones(3)), [-0.082964086, 0.5, 1.082964086], atol=1e-8)


@pytest.mark.parametrize("approximate", APPROXIMATIONS)
@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_entries(dtype, huge, approximate):
    y, pullback = gelu(np.array([-huge, 0, huge], dtype), approximate=approximate)
    assert_close(y / np.array([1, 1, huge], dtype), [0, 0, 1], dtype)
    assert_close(pullback(np.ones(3, dtype)), [0, 0.5, 1], dtype)


@pytest.mark.parametrize("approximate", ["sigmoid", None, True])
def test_refuses_another_approximation(approximate):
    with refusal(OptionError, f'gelu: expected approximate "none" or "tanh", received {approximate!r}'):
        gelu(np.ones(2), approximate=approximate)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("gelu", gelu)


@pytest.mark.parametrize("approximate", APPROXIMATIONS)
def test_pullback_survives_pickling(approximate):
    _, pullback = gelu(np.array([-1.0, 2.0]), approximate=approximate)
    assert_pickles(pullback, np.array([3.0, 4.0]))
