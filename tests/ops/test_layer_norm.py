from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import Source, assert_close, assert_pickles, refusal, shapes, sources
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.ops import layer_norm


@needs_torch
@given(sources(), shapes(1, 2), shapes(0, 2), st.integers(4, 6), st.sampled_from([1e-5, 1e-2, 1]))
def test_value_and_gradients_are_those_of_pytorch(source, samples, outer, last, eps):
    # At least 4 entries a sample: the variance of fewer may be so small that it magnifies rounding.
    features = (*outer, last)
    inputs = source.normal(*samples, *features), source.positive(*features), source.normal(*features)

    def peer(x, gamma, beta):
        return functional().layer_norm(x, features, gamma, beta, eps)

    assert_agrees(partial(layer_norm, eps=eps), peer, source, *inputs)


def test_value_and_gradients_of_a_hand_calculation():
    # Mean 4, variance 5, so that with eps = 4 the standard deviation is 3 and x̂ = (−1, −1/3, 1/3, 1).
    x, gamma, beta = np.array([[1.0, 3.0, 5.0, 7.0]]), np.full(4, 3.0), np.ones(4)
    y, pullback = layer_norm(x, gamma, beta, eps=4.0)
    assert_close(y, [[-2, 0, 2, 4]])
    # g = γ·dy = (3, 0, 0, 0): mean(g) = ¾, mean(g·x̂) = −¾
    dx, dgamma, dbeta = pullback(np.array([[1.0, 0.0, 0.0, 0.0]]))
    assert_close(dx, [[1 / 2, -1 / 3, -1 / 6, 0]])
    assert_close(dgamma, [-1, 0, 0, 0])
    assert_close(dbeta, [1, 0, 0, 0])


def test_gradient_of_gamma_and_beta_adds_the_samples_up():
    x = np.array([[1.0, 3.0], [5.0, 1.0]])
    _, pullback = layer_norm(x, np.ones(2), np.zeros(2), eps=0)
    _, dgamma, dbeta = pullback(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(dgamma, [-1 + 3, 2 - 4])
    np.testing.assert_array_equal(dbeta, [4, 6])


def test_every_sample_ends_with_mean_0_and_variance_1():
    x = 5 + 3 * Source(0).normal(4, 3, 5, 6)
    y, _ = layer_norm(x, np.ones((3, 5, 6)), np.zeros((3, 5, 6)), eps=0)
    assert_close(y.mean(axis=(1, 2, 3)), np.zeros(4))
    assert_close(y.var(axis=(1, 2, 3)), np.ones(4))


def test_a_constant_sample_becomes_beta():
    y, pullback = layer_norm(np.full((1, 3), 7.0), np.ones(3), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(y, [[1, 2, 3]])
    assert np.isfinite(pullback(np.ones((1, 3)))[0]).all()


@pytest.mark.parametrize(
    ("gamma", "beta", "text"),
    [
        ((3,), (3,), "gamma of the shape of the last axes of x (2, 3, 4), without the batch axis, received (3,)"),
        ((2, 3, 4), (2, 3, 4), "x (2, 3, 4), without the batch axis, received (2, 3, 4); give gamma one entry for"),
        ((), (), "x (2, 3, 4), without the batch axis, received ()"),
        ((4,), (3, 4), "beta of shape (4,), received (3, 4); beta has the shape of gamma"),
    ],
)
def test_refuses_shapes_that_do_not_fit(gamma, beta, text):
    with refusal(ShapeError, text):
        layer_norm(np.ones((2, 3, 4)), np.ones(gamma), np.ones(beta))


@pytest.mark.parametrize("eps", [-1e-5, np.nan, np.inf, None, True])
def test_refuses_an_eps_outside_its_domain(eps):
    with refusal(OptionError, f"layer_norm: expected eps in [0, 1e+30], received {eps!r}; change eps"):
        layer_norm(np.ones((2, 3)), np.ones(3), np.ones(3), eps=eps)


def test_refuses_integers_and_dtypes_that_differ():
    one = np.ones(3)
    with refusal(DTypeError, "layer_norm: expected x of dtype float32 or float64, received int64; convert it"):
        layer_norm(np.ones((2, 3), np.int64), one, one)
    with refusal(
        DTypeError, "layer_norm: expected all arrays of one dtype (x is float64), received beta of float32"
    ):
        layer_norm(np.ones((2, 3)), one, one.astype(np.float32))


def test_refuses_a_gradient_of_another_shape_than_the_value():
    with refusal(ShapeError, "layer_norm backward: expected dy of shape (2, 3), received (3,)"):
        layer_norm(np.ones((2, 3)), np.ones(3), np.ones(3))[1](np.ones(3))


def test_pullback_survives_pickling():
    y, pullback = layer_norm(Source(0).normal(2, 3), np.ones(3), np.ones(3))
    assert_pickles(pullback, y)
