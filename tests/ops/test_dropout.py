from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.shared import assert_close, assert_elementwise_refusals, assert_pickles, refusal, shapes, sources
from whygrad.errors import OptionError
from whygrad.ops import dropout


def generator(seed=0):
    return np.random.default_rng(seed)


@given(sources(), shapes(), st.floats(0, 0.9))
def test_every_entry_falls_out_or_is_scaled_up_and_its_gradient_likewise(source, shape, p):
    x, dy = source.positive(*shape), source.normal(*shape)
    y, pullback = dropout(x, p=p, training=True, rng=generator(source.seed))
    stayed = np.asarray(y) != 0
    assert_close(y, stayed * x.astype(np.float64) / (1 - p), source.dtype)
    assert_close(pullback(dy), stayed * dy.astype(np.float64) / (1 - p), source.dtype)


def test_kept_entries_make_up_for_those_that_fall_out():
    x = np.full(4, 3.0)
    y, pullback = dropout(x, p=0.75, training=True, rng=generator())
    assert set(np.unique(dropout(np.ones(100), p=0.75, training=True, rng=generator())[0])) == {0, 4}
    np.testing.assert_array_equal(pullback(x), y)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_share_that_falls_out_and_expectation_are_right(p):
    entries = 40_000
    y, _ = dropout(np.ones(entries), p=p, training=True, rng=generator())
    # Five standard deviations of the mean of Bernoulli variables.
    spread = 5 * np.sqrt(p * (1 - p) / entries)
    assert abs((y == 0).mean() - p) < spread
    assert abs(y.mean() - 1) < spread / (1 - p)


def test_mask_is_the_same_in_every_call_of_one_pullback():
    y, pullback = dropout(np.ones((8, 8)), p=0.5, training=True, rng=generator())
    np.testing.assert_array_equal(pullback(np.ones((8, 8))), y)
    np.testing.assert_array_equal(pullback(np.ones((8, 8))), y)


def test_mask_follows_the_generator():
    x = np.ones((8, 8))
    first, again, other = (dropout(x, training=True, rng=generator(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_consecutive_calls_draw_other_masks():
    rng, x = generator(), np.ones((8, 8))
    assert (dropout(x, training=True, rng=rng)[0] != dropout(x, training=True, rng=rng)[0]).any()


@pytest.mark.parametrize("options", [{"p": 0, "training": True}, {"p": 0.9, "training": False}])
def test_without_probability_or_training_nothing_changes_and_nothing_is_drawn(options):
    x, rng = np.array([1.0, -2.0]), generator()
    before = rng.bit_generator.state
    y, pullback = dropout(x, rng=rng, **options)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(pullback(np.array([3.0, 4.0])), [3, 4])
    assert rng.bit_generator.state == before
    np.testing.assert_array_equal(dropout(x, **options)[0], x)


@pytest.mark.parametrize("p", [1, 1.0, -0.1, 1.5, np.nan, "half", True])
def test_refuses_a_probability_outside_its_domain(p):
    with refusal(OptionError, f"dropout: expected p in [0, 1), received {p!r}; change p"):
        dropout(np.ones(2), p=p, training=True, rng=generator())


@pytest.mark.parametrize("rng", [None, 7])
def test_refuses_to_train_without_a_generator(rng):
    text = f"rng as a numpy.random.Generator in training, received {rng!r}; pass rng=np.random.default_rng(seed)"
    with refusal(OptionError, f"dropout: expected {text}"):
        dropout(np.ones(2), training=True, rng=rng)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("dropout", partial(dropout, training=True, rng=generator()))


def test_pullback_survives_pickling():
    _, pullback = dropout(np.ones((4, 5)), training=True, rng=generator())
    assert_pickles(pullback, np.ones((4, 5)))
