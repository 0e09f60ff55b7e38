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
from whygrad.ops import elu


@needs_torch
@given(sources(), shapes(), st.booleans(), st.sampled_from([1.0, 0.5, 2.0]))
def test_value_and_gradient_are_those_of_pytorch_at_the_kink_too(source, shape, at_whole_numbers, alpha):
    x = source.integers(*shape) if at_whole_numbers else source.normal(*shape)
    assert_agrees(partial(elu, alpha=alpha), lambda x: functional().elu(x, alpha), source, x)


def test_saturates_below_zero_and_is_linear_above():
    y, pullback = elu(np.array([-np.log(2), 0.0, 3.0]), alpha=4.0)
    assert_close(y, [-2, 0, 3])
    assert_close(pullback(np.array([1.0, 1.0, 5.0])), [2, 4, 5])


def test_keeps_the_digits_of_entries_just_below_zero():
    y, _ = elu(np.array([-1e-20]))
    assert y.item() == -1e-20


@pytest.mark.parametrize(("dtype", "huge"), EXTREMES)
def test_stays_finite_for_huge_entries(dtype, huge):
    y, pullback = elu(np.array([-huge, 0, huge], dtype), alpha=2.0)
    assert_close(y / np.array([1, 1, huge], dtype), [-2, 0, 1], dtype)
    assert_close(pullback(np.ones(3, dtype)), [0, 2, 1], dtype)


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf, "big", True])
def test_refuses_an_alpha_outside_its_domain(alpha):
    with refusal(OptionError, f"elu: expected alpha in [0, 1e+30], received {alpha!r}; change alpha"):
        elu(np.ones(2), alpha=alpha)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("elu", elu)


def test_pullback_survives_pickling():
    _, pullback = elu(np.array([-1.0, 2.0]))
    assert_pickles(pullback, np.array([3.0, 4.0]))
