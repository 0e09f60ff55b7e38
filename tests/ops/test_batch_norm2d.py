import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch, tensor
from tests.ops.shared import Source, assert_close, assert_pickles, refusal, sources
from whygrad.errors import DataError, DTypeError, OptionError, ShapeError
from whygrad.ops import batch_norm2d

EPS = st.sampled_from([1e-5, 1e-2, 1])
MOMENTUM = st.sampled_from([0.1, 0.0, 0.37, 1.0])
# At least 6 entries a channel: the variance of fewer may be so small that it magnifies rounding.
SIZES = st.tuples(st.integers(2, 4), st.integers(1, 3), st.integers(1, 4), st.integers(3, 5))


@needs_torch
@given(sources(), SIZES, st.booleans(), MOMENTUM, EPS)
def test_value_gradients_and_running_statistics_are_those_of_pytorch(source, shape, training, momentum, eps):
    options = {"training": training, "momentum": momentum, "eps": eps}
    inputs = source.normal(*shape), source.positive(shape[1]), source.normal(shape[1])
    mean, var = source.normal(shape[1]), source.positive(shape[1])
    their_mean, their_var = tensor(mean), tensor(var)
    after = []

    def ours(x, gamma, beta):
        (y, *statistics), pullback = batch_norm2d(x, gamma, beta, mean, var, **options)
        after.extend(statistics)
        return y, pullback

    def theirs(x, gamma, beta):
        return functional().batch_norm(x, their_mean, their_var, gamma, beta, **options)

    assert_agrees(ours, theirs, source, *inputs)
    assert_close(after[0], their_mean.numpy(), source.dtype)
    assert_close(after[1], their_var.numpy(), source.dtype)


def call(x, *, channels=1, **options):
    """Normalise with γ = 3 and β = 1, from running statistics of mean 2 and variance 1."""
    one = np.ones(channels, np.asarray(x).dtype)
    return batch_norm2d(x, 3 * one, one, 2 * one, one, **{"training": True, **options})


def column(*entries):
    return np.array(entries, np.float64).reshape(-1, 1, 1, 1)


def test_training_normalises_by_the_batch_as_in_a_hand_calculation():
    # Mean 4, variance 5, so that with eps = 4 the standard deviation is 3 and x̂ = (−1, −1/3, 1/3, 1).
    (y, mean, var), pullback = call(column(1, 3, 5, 7), eps=4.0, momentum=0.5)
    assert_close(y, column(-2, 0, 2, 4))
    assert_close(mean, [3])
    assert_close(var, [(1 + 20 / 3) / 2])
    # γ/√(v + eps) = 1, dbeta/M = ¼, dgamma/M = −¼
    dx, dgamma, dbeta = pullback(column(1, 0, 0, 0))
    assert_close(dx, column(1 / 2, -1 / 3, -1 / 6, 0))
    assert_close(dgamma, [-1])
    assert_close(dbeta, [1])


def test_evaluation_normalises_by_the_running_statistics():
    (y, mean, var), pullback = call(column(1, 3, 5, 7), training=False, eps=3.0)
    assert_close(y, column(-0.5, 2.5, 5.5, 8.5))
    assert (mean.item(), var.item()) == (2, 1)
    dx, dgamma, dbeta = pullback(column(2, 0, 0, 4))
    assert_close(dx, column(3, 0, 0, 6))
    assert_close(dgamma, [-1 + 10])
    assert_close(dbeta, [6])


@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_come_back_as_new_arrays_and_the_old_ones_stay(training):
    mean, var, one = np.full(1, 2.0), np.full(1, 5.0), np.ones(1)
    (_, new_mean, new_var), _ = batch_norm2d(column(1, 3), one, one, mean, var, training=training)
    assert (mean.item(), var.item()) == (2, 5)
    assert not np.shares_memory(new_mean, mean)
    assert not np.shares_memory(new_var, var)


def test_every_channel_ends_with_mean_0_and_variance_1():
    x = 5 + 3 * Source(0).normal(4, 3, 5, 6)
    zero, one = np.zeros(3), np.ones(3)
    (y, _, _), _ = batch_norm2d(x, one, zero, zero, one, training=True, eps=0)
    assert_close(y.mean(axis=(0, 2, 3)), zero)
    assert_close(y.var(axis=(0, 2, 3)), one)


def test_a_constant_channel_becomes_beta():
    (y, _, _), pullback = call(column(7, 7, 7))
    np.testing.assert_array_equal(y, column(1, 1, 1))
    assert np.isfinite(pullback(column(1, 0, 0))[0]).all()


def test_an_empty_batch_leaves_the_running_statistics_as_they_are():
    (y, mean, var), pullback = call(np.zeros((0, 2, 3, 3)), channels=2)
    assert y.shape == (0, 2, 3, 3)
    assert (mean.tolist(), var.tolist()) == ([2, 2], [1, 1])
    assert [gradient.shape for gradient in pullback(y)] == [(0, 2, 3, 3), (2,), (2,)]


def test_refuses_to_train_on_a_single_entry_a_channel_but_evaluates_it():
    text = (
        "batch_norm2d: expected at least 2 entries a channel in training, received 1; use a larger batch or image"
    )
    with refusal(DataError, text):
        call(column(4))
    (y, _, _), _ = call(column(4), training=False, eps=0)
    np.testing.assert_array_equal(y, column(7))


def test_refuses_images_of_another_rank():
    with refusal(
        ShapeError, "batch_norm2d: expected x of shape (N, C, H, W), received (2, 3); add the missing axes"
    ):
        call(np.ones((2, 3)))


@pytest.mark.parametrize("name", ["gamma", "beta", "running_mean", "running_var"])
def test_refuses_parameters_and_statistics_for_another_number_of_channels(name):
    arrays = dict.fromkeys(["gamma", "beta", "running_mean", "running_var"], np.ones(2)) | {name: np.ones(3)}
    text = f"{name} of shape (2,), received (3,); {name} has one entry for each of the 2 channels of x"
    with refusal(ShapeError, f"batch_norm2d: expected {text}"):
        batch_norm2d(np.ones((3, 2, 1, 1)), **arrays, training=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"momentum": 1.1}, "momentum in [0, 1], received 1.1; change momentum"),
        ({"momentum": None}, "momentum in [0, 1], received None"),
        ({"eps": -1e-5}, "eps in [0, 1e+30], received -1e-05; change eps"),
        ({"eps": np.nan}, "eps in [0, 1e+30], received nan"),
    ],
)
def test_refuses_options_outside_their_domain(options, text):
    with refusal(OptionError, f"batch_norm2d: expected {text}"):
        call(column(1, 2), **options)


def test_refuses_integers_and_dtypes_that_differ():
    one = np.ones(1)
    with refusal(DTypeError, "batch_norm2d: expected x of dtype float32 or float64, received uint8; convert it"):
        call(np.ones((2, 1, 1, 1), np.uint8))
    text = "batch_norm2d: expected all arrays of one dtype (x is float32), received gamma of float64"
    with refusal(DTypeError, text):
        batch_norm2d(np.ones((2, 1, 1, 1), np.float32), one, one, one, one, training=True)


def test_refuses_a_gradient_of_another_shape_than_the_value():
    with refusal(ShapeError, "batch_norm2d backward: expected dy of shape (2, 1, 1, 1), received (2, 1)"):
        call(column(1, 2))[1](np.ones((2, 1)))


@pytest.mark.parametrize("training", [True, False])
def test_pullback_survives_pickling(training):
    (y, _, _), pullback = call(column(1, 2, 4), training=training)
    assert_pickles(pullback, y)


def test_a_negative_running_variance_is_refused():
    one = np.ones(1)
    with pytest.raises(DataError, match="a running_var that is not negative, received -1; begin with ones"):
        batch_norm2d(np.ones((1, 1, 2, 2)), one, one, one, -one, training=False)


def test_long_sums_stay_exact_in_every_memory_order():
    x = np.random.default_rng(0).normal(10, 1, (8, 2, 256, 256)).astype(np.float32)
    channels_last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    zero, one = np.zeros(2, np.float32), np.ones(2, np.float32)
    (_, mean, _), _ = batch_norm2d(channels_last, one, zero, zero, one, training=True, momentum=1.0)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3), dtype=np.float64), rtol=1e-6)
