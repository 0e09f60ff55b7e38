from functools import partial
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import assert_close, assert_elementwise_refusals, assert_pickles, refusal, shapes, sources
from whygrad.errors import OptionError
from whygrad.ops import clip


@needs_torch
@given(sources(), shapes(), st.booleans(), st.sampled_from([(-1.0, 1.0), (0.0, 6.0), (-2.0, 0.0)]))
def test_value_and_gradient_are_those_of_pytorch_at_the_kinks_too(source, shape, at_whole_numbers, bounds):
    x = source.integers(*shape) if at_whole_numbers else source.normal(*shape)
    low, high = bounds
    assert_agrees(partial(clip, low=low, high=high), lambda x: functional().hardtanh(x, low, high), source, x)


def test_cuts_off_what_lies_beyond_the_bounds():
    y, pullback = clip(np.array([-1.0, 0, 2, 6, 7]), low=0, high=6)
    assert_close(y, [0, 0, 2, 6, 6])
    assert_close(pullback(np.array([1.0, 2, 3, 4, 5])), [0, 0, 3, 0, 0])


def test_has_no_bounds_unless_told():
    x = np.array([-1e30, 0, 1e30])
    y, pullback = clip(x)
    assert_close(y, x)
    assert_close(pullback(x), x)
    assert_close(clip(x, low=1)[0], [1, 1, 1e30])


def test_the_greatest_value_holds_where_the_bounds_contradict_each_other():
    y, pullback = clip(np.array([-1.0, 1.5, 3]), low=2, high=1)
    assert_close(y, [1, 1, 1])
    assert_close(pullback(np.ones(3)), [0, 0, 0])


def test_nan_stays_nan_and_gets_nothing():
    y, pullback = clip(np.array([np.nan, inf]), low=0, high=6)
    np.testing.assert_array_equal(y, [np.nan, 6])
    assert_close(pullback(np.ones(2)), [0, 0])


@pytest.mark.parametrize("bound", [np.nan, "6", None, True])
def test_refuses_bounds_that_are_no_numbers(bound):
    with refusal(OptionError, f"clip: expected high in [-inf, inf], received {bound!r}; change high"):
        clip(np.ones(2), high=bound)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("clip", clip)


def test_pullback_survives_pickling():
    assert_pickles(clip(np.array([-1.0, 2.0]), low=0)[1], np.array([3.0, 4.0]))
