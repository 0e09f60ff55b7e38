"""The compiled operations on images against the formulas in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ops.shared import EXTREMES, TOLERANCE, Source, lay_out, pairs, sources

from whygrad import ops
from whygrad.engines import engine
from whygrad.threads import get_num_threads, set_num_threads

BATCHES = st.integers(0, 3)
CHANNELS = st.sampled_from([1, 2, 3, 6, 16, 17, 33, 64])


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def assert_equal_within_rounding(actual, wanted, source):
    actual, wanted = as_tuple(actual), as_tuple(wanted)
    assert len(actual) == len(wanted)
    for a, b in zip(actual, wanted, strict=True):
        assert a.dtype == b.dtype == source.dtype
        assert a.shape == b.shape
        scale = max(1.0, np.abs(b, where=np.isfinite(b), out=np.zeros_like(b)).max(initial=0.0))
        np.testing.assert_allclose(a, b, rtol=0, atol=scale * TOLERANCE[source.dtype])


def assert_agrees(function, source, *inputs):
    """Require value and gradients of both engines to agree, and each engine to take what the other saved."""
    with engine("definition"):
        wanted, their_pullback = function(*inputs)
    before = [array.copy() for array in inputs]
    value, pullback = function(*inputs)
    assert_equal_within_rounding(value, wanted, source)
    dy = source.normal(*as_tuple(wanted)[0].shape)
    with engine("definition"):
        gradients = their_pullback(dy)
        assert_equal_within_rounding(pullback(dy), gradients, source)
    assert_equal_within_rounding(pullback(dy), gradients, source)
    assert_equal_within_rounding(their_pullback(dy), gradients, source)
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    images = as_tuple(value)[0]
    if images.ndim == 4 and not inputs[0].flags.c_contiguous:
        assert images.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.fixture(params=[1, 3])
def threads(request):
    before = get_num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


@st.composite
def pools(draw):
    """Draw the shape and options of a pooling whose windows all see some of the image."""
    kernel, dilation = draw(pairs(1, 3)), draw(pairs(1, 2))
    options = {
        "kernel_size": kernel,
        "stride": draw(st.none() | pairs(1, 4)),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "ceil_mode": draw(st.booleans()),
    }
    size = [d * (k - 1) + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True)]
    return (draw(BATCHES), draw(CHANNELS), *size), options, dilation


@given(sources(), pools(), st.booleans())
def test_max_pool2d(source, call, with_ties):
    shape, options, dilation = call
    x = source.integers(*shape) if with_ties else source.normal(*shape)
    assert_agrees(lambda x: ops.max_pool2d(x, **options, dilation=dilation), source, x)


@given(st.integers(0, 99), pools(), CHANNELS)
def test_max_pool2d_chooses_among_infinities_and_nan_as_the_formula(seed, call, channels):
    (n, _, h, w), options, dilation = call
    rng = np.random.default_rng(seed)
    x = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], (n, channels, h, w), p=[0.1, 0.1, 0.5, 0.1, 0.1, 0.1])
    with engine("definition"):
        wanted, theirs = ops.max_pool2d(x, **options, dilation=dilation)
    y, ours = ops.max_pool2d(x, **options, dilation=dilation)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(ours.args[0].winner, theirs.args[0].winner)
    assert ours.args[0].winner.dtype == theirs.args[0].winner.dtype == np.uint8


def test_max_pool2d_of_windows_too_large_for_a_byte():
    source = Source(0)
    x = source.normal(2, 3, 40, 36)
    _, pullback = ops.max_pool2d(x, kernel_size=(17, 19), stride=3, padding=2)
    assert pullback.args[0].winner.dtype == np.int32
    assert_agrees(lambda x: ops.max_pool2d(x, kernel_size=(17, 19), stride=3, padding=2), source, x)


@given(sources(), pools(), st.booleans())
def test_avg_pool2d(source, call, count):
    shape, options, _ = call
    assert_agrees(lambda x: ops.avg_pool2d(x, **options, count_include_pad=count), source, source.normal(*shape))


@given(sources(), BATCHES, CHANNELS, pairs(1, 7))
def test_global_avg_pool2d(source, n, c, size):
    assert_agrees(ops.global_avg_pool2d, source, source.normal(n, c, *size))


@given(sources(), st.integers(1, 3), CHANNELS, pairs(2, 9), st.booleans(), st.sampled_from([0, 10]))
def test_batch_norm2d(source, n, c, size, training, mean):
    x = source.normal(n, c, *size) + np.array(mean, source.dtype)
    given = source.positive(c), source.normal(c), source.normal(c), source.positive(c)

    def function(x, gamma, beta):
        return ops.batch_norm2d(x, gamma, beta, *given[2:], training=training, eps=0.1)

    assert_agrees(function, source, x, *given[:2])


@pytest.mark.parametrize("mean", [0.0, 1e3, -1e6])
@pytest.mark.parametrize("shape", [(2, 3, 40, 41), (5, 64, 12, 13), (3, 700, 2, 2)])
def test_batch_norm2d_is_as_exact_as_two_passes_for_a_large_mean(mean, shape):
    x = lay_out(np.random.default_rng(0).normal(mean, 1, shape), "channels last")
    x[0, :, 0, 0] = 0  # an entry far from the mean is among those that the centre is taken from
    c = shape[1]
    zero, one = np.zeros(c), np.ones(c)
    (y, new_mean, new_var), _ = ops.batch_norm2d(x, one, zero, zero, one, training=True, momentum=1.0)
    entries = x.size // c
    np.testing.assert_allclose(new_mean, x.mean(axis=(0, 2, 3)), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(new_var, x.var(axis=(0, 2, 3)) * entries / (entries - 1), rtol=1e-11)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_batch_norm2d_spreads_what_is_not_finite_as_the_formula(value):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    dy = x.copy()
    x[1, 1, 2, 2] = value
    zero, one = np.zeros(3), np.ones(3)
    with np.errstate(all="ignore"):
        with engine("definition"):
            wanted, theirs = ops.batch_norm2d(x, one, zero, zero, one, training=True)
            gradients = theirs(dy)
        got, ours = ops.batch_norm2d(x, one, zero, zero, one, training=True)
    for a, b in zip((*got, *ours(dy)), (*wanted, *gradients), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dtype", "size"), EXTREMES)
def test_batch_norm2d_of_numbers_whose_squares_overflow(dtype, size):
    x = (np.random.default_rng(0).normal(size=(2, 3, 4, 4)) * size).astype(dtype)
    zero, one = np.zeros(3, dtype), np.ones(3, dtype)
    with np.errstate(over="ignore"):
        with engine("definition"):
            (wanted, _, wanted_var), _ = ops.batch_norm2d(x, one, zero, zero, one, training=True)
        (y, _, var), _ = ops.batch_norm2d(x, one, zero, zero, one, training=True)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(var, wanted_var)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm2d_without_channels_or_images(training):
    for shape in ((2, 0, 3, 3), (0, 3, 4, 4)):
        arrays = [np.ones(shape[1])] * 4
        assert_agrees(lambda x, *a: ops.batch_norm2d(x, *a, training=training), Source(0), np.ones(shape), *arrays)


@given(sources(), BATCHES, CHANNELS, pairs(1, 5), pairs(1, 4))
def test_upsample_nearest2d(source, n, c, size, factor):
    assert_agrees(lambda x: ops.upsample_nearest2d(x, scale_factor=factor), source, source.normal(n, c, *size))


@given(sources(), st.integers(0, 3), st.lists(st.integers(1, 17), min_size=1, max_size=3), st.data())
def test_concat(source, axis, widths, data):
    ndim = data.draw(st.integers(axis + 1, 5))
    frame = data.draw(st.lists(st.integers(0, 4), min_size=ndim, max_size=ndim))
    arrays = [source.normal(*frame[:axis], width, *frame[axis + 1 :]) for width in widths]
    arrays[-1] = lay_out(arrays[-1], "C")
    assert_agrees(lambda *a: ops.concat(*a, axis=axis), source, arrays[-1], *arrays)


@given(
    sources(), BATCHES, CHANNELS, pairs(4, 7), st.tuples(*[st.integers(0, 3)] * 4), st.sampled_from([0.0, -np.inf])
)
def test_pad2d(source, n, c, size, sides, value):
    x = source.normal(n, c, *size)
    for mode in ("constant", "reflect", "replicate"):
        with engine("definition"):
            wanted, _ = ops.pad2d(x, padding=sides, mode=mode, value=value)
        y, _ = ops.pad2d(x, padding=sides, mode=mode, value=value)
        np.testing.assert_array_equal(y, wanted)
        assert_agrees(lambda x, mode=mode: ops.pad2d(x, padding=sides, mode=mode), source, x)


@given(sources(), BATCHES, st.sampled_from([1, 3, 31, 32, 33, 65]), pairs(1, 9))
def test_flatten(source, n, c, size):
    assert_agrees(ops.flatten, source, source.normal(n, c, *size))


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4), (2, 1, 1, 1), (2, 0, 3, 3), (2, 3, 4, 5, 2)])
def test_flatten_of_any_rank(shape):
    assert_agrees(ops.flatten, Source(0), Source(1).normal(*shape))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("channels", [5, 20])
def test_images_large_enough_for_several_threads(channels):
    source = Source(0, "float32", "channels last")
    x = source.normal(3, channels, 33, 37)
    one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    for function in (
        lambda x: ops.max_pool2d(x, kernel_size=2),
        lambda x: ops.max_pool2d(x, kernel_size=3, stride=2, padding=1),
        lambda x: ops.avg_pool2d(x, kernel_size=2),
        ops.global_avg_pool2d,
        lambda x: ops.batch_norm2d(x, one, zero, zero, one, training=True),
        ops.upsample_nearest2d,
        lambda x: ops.concat(x, x),
        lambda x: ops.pad2d(x, padding=2, mode="reflect"),
        ops.flatten,
    ):
        assert_agrees(function, source, x)
        first, second = (as_tuple(function(x)[0])[0] for _ in range(2))
        np.testing.assert_array_equal(first, second)
