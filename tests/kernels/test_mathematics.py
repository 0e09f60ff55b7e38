"""The elementary functions against those of NumPy in extended precision, counted in units in the last place."""

import math

import numpy as np
import pytest

from whygrad.kernels import mathematics
from whygrad.kernels.compiler import kernel, reads, writes

DTYPES = (np.float32, np.float64)
EXACT = np.longdouble
# x86 keeps 64 digits in its extended precision; elsewhere it is the double itself, whose own rounding is left out.
SLACK = 0 if np.finfo(EXACT).eps < 1e-18 else 1


@kernel(reads(1), writes(1))
def exps(x, y):
    for i in range(x.size):
        y[i] = mathematics.exp(x[i])


@kernel(reads(1), writes(1))
def expm1s(x, y):
    for i in range(x.size):
        y[i] = mathematics.expm1(x[i])


@kernel(reads(1), writes(1))
def tanhs(x, y):
    for i in range(x.size):
        y[i] = mathematics.tanh(x[i])


@kernel(reads(1), writes(1))
def sigmoids(x, y):
    for i in range(x.size):
        y[i] = mathematics.sigmoid(x[i])


@kernel(reads(1), writes(1))
def log1ps(x, y):
    for i in range(x.size):
        y[i] = mathematics.log1p(x[i])


def sigmoid(x):
    return np.where(x >= 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x)))


WANTED = {
    "exp": (exps, np.exp, 1.1),
    "expm1": (expm1s, np.expm1, 2.0),
    "tanh": (tanhs, np.tanh, 1.5),
    "sigmoid": (sigmoids, sigmoid, 2.5),
    "log1p": (log1ps, np.log1p, 2.5),
}
every_function = pytest.mark.parametrize("name", WANTED)
both_types = pytest.mark.parametrize("dtype", DTYPES)


def computed(run, x):
    y = np.empty_like(x)
    run[x.dtype](x, y)
    return y


def numbers(dtype):
    """Return numbers of every exponent and both signs, and many more where the functions bend."""
    rng = np.random.default_rng(0)
    bits, count = (np.uint32, 2**20) if dtype == np.float32 else (np.uint64, 2**18)
    anything = rng.integers(0, np.iinfo(bits).max, count, dtype=bits, endpoint=True).view(dtype)
    end = -np.log(np.finfo(dtype).smallest_subnormal.astype(EXACT)).astype(dtype)
    bends = [rng.uniform(-end, end, count), rng.normal(size=count), rng.uniform(-1, 1, count)]
    return np.concatenate([anything[np.isfinite(anything)], *bends]).astype(dtype)


@both_types
@every_function
@pytest.mark.filterwarnings("ignore:overflow", "ignore:underflow")
def test_every_result_lies_within_some_units_in_the_last_place(name, dtype):
    run, function, units = WANTED[name]
    x = numbers(dtype)
    x = np.abs(x[np.abs(x) <= 1]) if name == "log1p" else x
    y, exact = computed(run, x), function(x.astype(EXACT))
    rounded = exact.astype(dtype)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(y[~finite], rounded[~finite])
    distance = np.abs(y[finite] - exact[finite]) / np.spacing(np.abs(rounded[finite])).astype(EXACT)
    assert distance.max() <= units + SLACK


@both_types
@every_function
def test_zero_keeps_its_sign_and_nan_stays(name, dtype):
    run, function, _ = WANTED[name]
    x = np.array([0.0, -0.0, np.nan], dtype)
    y, wanted = computed(run, x), function(x)
    np.testing.assert_array_equal(y, wanted)
    if name != "log1p":
        np.testing.assert_array_equal(np.signbit(y[:2]), np.signbit(wanted[:2]))


@both_types
@pytest.mark.parametrize(
    ("run", "below", "above"), [(exps, 0, np.inf), (expm1s, -1, np.inf), (tanhs, -1, 1), (sigmoids, 0, 1)]
)
def test_limits_are_reached(run, below, above, dtype):
    largest = np.finfo(dtype).max
    y = computed(run, np.array([-np.inf, -largest, -800, 800, largest, np.inf], dtype))
    np.testing.assert_array_equal(y, [below] * 3 + [above] * 3)


@both_types
def test_exp_goes_down_through_the_subnormal_numbers(dtype):
    info = np.finfo(dtype)
    x = np.linspace(np.log(info.tiny) - 15, np.log(info.tiny) + 1, 1000).astype(dtype)
    exact = np.exp(x.astype(EXACT))
    assert (
        np.abs(computed(exps, x) - exact) <= (1.1 + SLACK) * np.spacing(exact.astype(dtype)).astype(EXACT)
    ).all()


@kernel(reads(1), writes(1))
def normals(x, y):
    for i in range(x.size):
        y[i] = mathematics.normal32(x[i], mathematics.bell(x[i]))


@kernel(reads(1), writes(1))
def bells(x, y):
    for i in range(x.size):
        y[i] = mathematics.bell(x[i])


def test_normal_distribution_keeps_its_digits_far_below_zero():
    x = np.linspace(-13, 13, 20_001, dtype=np.float32)
    exact = np.array([math.erfc(-a / math.sqrt(2)) / 2 for a in x.astype(float)])
    np.testing.assert_allclose(computed(normals, x), exact, rtol=6e-7)
    assert computed(normals, np.array([-40, 0, 40, np.nan], np.float32))[:3].tolist() == [0, 0.5, 1]


@both_types
def test_the_bell_curve_keeps_its_digits_where_the_square_is_rounded(dtype):
    end = 13 if dtype == np.float32 else 37
    x = np.linspace(-end, end, 20_001).astype(dtype)
    exact = np.exp(-(x.astype(EXACT) ** 2) / 2)
    assert (np.abs(computed(bells, x) - exact) <= (2 + 1000 * SLACK) * np.spacing(exact.astype(dtype))).all()


@kernel(reads(1), reads(1), writes(1))
def maxima(a, b, y):
    for i in range(a.size):
        y[i] = mathematics.maximum(a[i], b[i])


@both_types
def test_maximum_lets_nan_through(dtype):
    a, b = np.array([1, np.nan, 3, -np.inf], dtype), np.array([2, 1, np.nan, np.inf], dtype)
    y = np.empty_like(a)
    maxima[y.dtype](a, b, y)
    np.testing.assert_array_equal(y, [2, np.nan, np.nan, np.inf])
