import math
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.initializers import (
    constant,
    fans,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    orthogonal,
    uniform,
    zeros,
)

ANY_SHAPE = [zeros, partial(constant, value=0.5), normal, uniform]
SCALED = [glorot_normal, glorot_uniform, he_normal, he_uniform, lecun_normal, lecun_uniform]
ALL = [*ANY_SHAPE, *SCALED, orthogonal]
RANDOM = [normal, uniform, *SCALED, orthogonal]
WEIGHT = (64, 16, 3, 3)
FAN_IN, FAN_OUT = 16 * 9, 64 * 9
SHARE = 2 / (FAN_IN + FAN_OUT)
VARIANCES = [
    (normal, 1e-4),
    (partial(normal, std=2.0), 4.0),
    (uniform, 0.1**2 / 12),
    (partial(uniform, low=-1.0, high=1.0), 1 / 3),
    (glorot_normal, SHARE),
    (partial(glorot_normal, gain=3.0), 9 * SHARE),
    (glorot_uniform, SHARE),
    (partial(glorot_uniform, gain=0.5), SHARE / 4),
    (he_normal, 2 / FAN_IN),
    (partial(he_normal, negative_slope=0.5), 2 / 1.25 / FAN_IN),
    (he_uniform, 2 / FAN_IN),
    (partial(he_uniform, negative_slope=-1.0), 1 / FAN_IN),
    (lecun_normal, 1 / FAN_IN),
    (lecun_uniform, 1 / FAN_IN),
]


@pytest.fixture(scope="module")
def torch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch", reason="PyTorch is absent; install it with: pip install whygrad[torch]")


def name_of(initializer):
    return initializer.func.__name__ if isinstance(initializer, partial) else getattr(initializer, "__name__", None)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("initializer", "variance"), VARIANCES, ids=name_of)
def test_moments_are_those_of_the_distribution(initializer, variance):
    w = np.stack([initializer(generator(seed), WEIGHT, np.float64) for seed in range(20)])
    x = w / math.sqrt(variance)  # 184320 numbers: the standard errors are 0.0024, 0.0033, and 0.023 at most
    is_uniform = "uniform" in name_of(initializer)
    assert abs(x.mean()) < 0.01
    assert abs(x.var() - 1) < 0.015
    assert abs((x**4).mean() - (1.8 if is_uniform else 3.0)) < 0.1
    if is_uniform:
        assert math.sqrt(3) * 0.999 < np.abs(x).max() <= math.sqrt(3) * (1 + 1e-12)


def test_mean_and_bounds_are_where_they_are_asked_for():
    assert abs(normal(generator(), (100_000,), mean=3.0, std=0.1).mean() - 3) < 0.002
    drawn = uniform(generator(), (100_000,), np.float64, low=2.0, high=5.0)
    assert 2 <= drawn.min() < 2.001
    assert 4.999 < drawn.max() <= 5
    assert abs(drawn.mean() - 3.5) < 0.02


def test_zeros_and_constants():
    np.testing.assert_array_equal(zeros(generator(), (2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(constant(generator(), (2,), value=-1.5), [-1.5, -1.5])
    np.testing.assert_array_equal(normal(generator(), (3,), mean=2.0, std=0.0), [2, 2, 2])


@pytest.mark.parametrize(
    "shape", [(5, 3), (3, 5), (4, 4), (1, 1), (8, 2, 3, 3), (30, 2, 3, 3), (1, 7), (7, 1)], ids=str
)
@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_orthogonal_rows_or_columns_are_orthonormal(shape, gain):
    w = orthogonal(generator(), shape, np.float64, gain=gain)
    assert w.shape == shape
    matrix = w.reshape(shape[0], -1) / gain
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-13)


def test_orthogonal_matrices_are_drawn_uniformly():
    # Uniform over the orthogonal n×n matrices, the trace has mean 0 and variance 1; without the correction of
    # the signs it has not.
    traces = [np.trace(orthogonal(generator(seed), (3, 3), np.float64)) for seed in range(4000)]
    assert abs(np.mean(traces)) < 0.06
    assert abs(np.var(traces) - 1) < 0.1


@pytest.mark.parametrize("initializer", ALL, ids=name_of)
@pytest.mark.parametrize("shape", [(6, 4), (5, 3, 2, 2)], ids=str)
def test_dtype_shape_and_the_same_numbers_in_both_dtypes(initializer, shape):
    single, double = (initializer(generator(), shape, dtype) for dtype in (np.float32, np.float64))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert single.shape == double.shape == shape
    assert single.flags.writeable
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert initializer(generator(), shape).dtype == np.float32


@pytest.mark.parametrize("initializer", RANDOM, ids=name_of)
def test_a_seed_decides_the_numbers_and_the_generator_moves_on(initializer):
    rng = generator(3)
    first, second = initializer(rng, (4, 5)), initializer(rng, (4, 5))
    np.testing.assert_array_equal(first, initializer(generator(3), (4, 5)))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, initializer(generator(4), (4, 5)))


@pytest.mark.parametrize("initializer", ALL, ids=name_of)
def test_the_global_generator_is_left_alone(initializer):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    initializer(generator(), (4, 5))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("initializer", ANY_SHAPE, ids=name_of)
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 0)], ids=str)
def test_parameters_of_any_shape_can_be_filled(initializer, shape):
    w = initializer(generator(), shape)
    assert isinstance(w, np.ndarray)
    assert w.shape == shape
    assert w.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((10, 7), (7, 10)), ((8, 3, 5, 5), (75, 200)), ((8, 1, 3, 2), (6, 48)), ((4, 3, 2), (6, 8))],
)
def test_fans_by_hand(shape, wanted):
    assert fans(shape) == wanted


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple))
def test_fans_are_those_of_pytorch(torch, shape):
    assert fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.parametrize("initializer", [*SCALED, orthogonal], ids=name_of)
@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (2, 3, 0, 3)], ids=str)
def test_shapes_without_fans_are_refused(initializer, shape):
    with pytest.raises(ShapeError, match=rf"{name_of(initializer)}: expected a weight of shape \(F, D\) or"):
        initializer(generator(), shape)


@pytest.mark.parametrize("initializer", ALL, ids=name_of)
def test_what_is_no_generator_shape_or_float_is_refused(initializer):
    name = name_of(initializer)
    with pytest.raises(OptionError, match=rf"{name}: expected rng as a numpy.random.Generator, received 0; pass"):
        initializer(0, (2, 2))
    with pytest.raises(OptionError, match=f"{name}: expected shape as a tuple of whole numbers, received 5"):
        initializer(generator(), 5)
    with pytest.raises(OptionError, match=rf"{name}: expected shape\[1\] to be a whole number of at least 0"):
        initializer(generator(), (2, -1))
    with pytest.raises(DTypeError, match=f"{name}: expected dtype float32 or float64, received int64"):
        initializer(generator(), (2, 2), np.int64)


@pytest.mark.parametrize(
    ("initializer", "options", "message"),
    [
        (constant, {"value": math.nan}, "constant: expected value"),
        (constant, {"value": math.inf}, "constant: expected value to be finite"),
        (normal, {"std": -1.0}, "normal: expected std"),
        (normal, {"mean": -math.inf}, "normal: expected mean"),
        (uniform, {"low": 1.0, "high": 0.0}, "uniform: expected low of at most high"),
        (uniform, {"high": math.inf}, "uniform: expected high"),
        (glorot_normal, {"gain": -1.0}, "glorot_normal: expected gain"),
        (glorot_uniform, {"gain": math.nan}, "glorot_uniform: expected gain"),
        (he_normal, {"negative_slope": math.inf}, "he_normal: expected negative_slope"),
        (he_uniform, {"negative_slope": math.nan}, "he_uniform: expected negative_slope"),
        (orthogonal, {"gain": -1.0}, "orthogonal: expected gain"),
    ],
)
def test_options_outside_their_domain_are_refused(initializer, options, message):
    with pytest.raises(OptionError, match=message):
        initializer(generator(), (2, 2), **options)
