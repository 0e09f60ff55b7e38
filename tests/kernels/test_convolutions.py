"""Compiled convolutions and matrix products against their definitions, on sizes with every kind of remainder."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ops.shared import ORDERS, lay_out

from whygrad import engines
from whygrad.kernels import few_channels, vectors, winograd
from whygrad.ops import conv2d, conv_transpose2d, linear


def passes(function, inputs, dy):
    """Return the value and all gradients."""
    y, pullback = function(*inputs)
    return [y, *(g for g in pullback(dy.reshape(y.shape)) if g is not None)]


def assert_twins_agree(function, shapes, seed, order, terms):
    """Compare the engines: float64 to 1e-12 of the largest entry, float32 within the bound of each summation."""
    rng = np.random.default_rng(seed)
    exact = [rng.normal(size=shape) for shape in shapes]
    with engines.engine("definition"):
        dy = rng.normal(size=function(*exact)[0].shape)
        wanted = passes(function, [lay_out(a, order) for a in exact], lay_out(dy, order))
        # Σ|a·b| of every sum, by which its rounding errors are bounded: n terms make at most n·ε·Σ|a·b|.
        single = [a.astype(np.float32) for a in (*exact, dy)]
        wide = [a.astype(np.float64) for a in single]
        right = passes(function, wide[:-1], wide[-1])
        sizes = passes(function, [np.abs(a) for a in wide[:-1]], np.abs(wide[-1]))
    got = passes(function, [lay_out(a, order) for a in exact], lay_out(dy, order))
    for result, reference in zip(got, wanted, strict=True):
        assert result.shape == reference.shape
        scale = np.abs(reference).max(initial=0)
        np.testing.assert_allclose(result, reference, rtol=0, atol=1e-12 * max(1, scale))
    got = passes(function, [lay_out(a, order) for a in single[:-1]], lay_out(single[-1], order))
    for result, reference, size in zip(got, right, sizes, strict=True):
        assert result.dtype == np.float32
        bound = (terms + 2) * np.finfo(np.float32).eps * size
        assert (np.abs(result - reference) <= bound).all()


@st.composite
def convolutions(draw):
    """Draw shapes and options: channels and widths around the sizes of vectors and tiles, every option."""
    kind = draw(st.sampled_from(["dense", "dense", "grouped", "depthwise", "one channel", "one to few"]))
    channels, filters, groups = draw(st.integers(1, 40)), draw(st.integers(1, 70)), 1
    if kind == "grouped":
        groups = draw(st.integers(2, 3))
        channels, filters = groups * draw(st.integers(1, 9)), groups * draw(st.integers(1, 18))
    elif kind == "depthwise":
        channels = filters = groups = draw(st.integers(2, 40))
    elif kind == "one channel":
        channels = filters = 1
    elif kind == "one to few":
        channels, filters = 1, draw(st.integers(2, 8))
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    options = {
        "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "dilation": (draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2, 3]))),
        "padding": tuple(draw(st.integers(0, 3)) for _ in range(4)),
        "groups": groups,
    }
    size = tuple(d * (k - 1) + draw(st.integers(1, 18)) for k, d in zip(kernel, options["dilation"], strict=True))
    return draw(st.integers(0, 5)), channels, filters, kernel, size, options


@settings(max_examples=150)
@given(convolutions(), st.sampled_from(ORDERS), st.integers(0, 2**32 - 1), st.booleans())
def test_conv2d(call, order, seed, with_bias):
    batch, channels, filters, kernel, size, options = call
    shapes = [(batch, channels, *size), (filters, channels // options["groups"], *kernel)]
    shapes += [(filters,)] * with_bias
    terms = max(batch * size[0] * size[1], np.prod(kernel) * max(channels, filters)) * 9
    assert_twins_agree(partial(conv2d, **options), shapes, seed, order, terms)


@st.composite
def convolutions_of_few_channels(draw):
    """Draw convolutions with wide kernels, of which either side has few channels."""
    few, many = draw(st.integers(1, 8)), draw(st.integers(4, 20))
    channels, filters = draw(st.sampled_from([(few, many), (many, few)]))
    kernel = (draw(st.integers(1, 4)), draw(st.integers(2, 9)))
    options = {
        "stride": (draw(st.integers(1, 2)), draw(st.sampled_from([1, 1, 2]))),
        "dilation": (draw(st.integers(1, 2)), 1),
        "padding": (
            draw(st.integers(0, 4)),
            draw(st.integers(0, 4)),
            draw(st.integers(0, 9)),
            draw(st.integers(0, 9)),
        ),
    }
    size = (2 * (kernel[0] - 1) + draw(st.integers(1, 9)), kernel[1] + draw(st.integers(0, 20)))
    return draw(st.integers(0, 5)), channels, filters, kernel, size, options


@settings(max_examples=120)
@given(convolutions_of_few_channels(), st.sampled_from(ORDERS), st.integers(0, 2**32 - 1), st.booleans())
def test_conv2d_of_few_channels(call, order, seed, with_bias):
    batch, channels, filters, kernel, size, options = call
    shapes = [(batch, channels, *size), (filters, channels, *kernel)] + [(filters,)] * with_bias
    terms = max(batch * size[0] * size[1], np.prod(kernel) * max(channels, filters)) * 9
    assert_twins_agree(partial(conv2d, **options), shapes, seed, order, terms)


def test_which_correlations_of_few_channels_spread_their_products():
    lanes, single = vectors.real("float32").lanes, np.dtype(np.float32)
    filters = (max(1, lanes // 4), 16, 5, 5)
    assert few_channels.suits(filters, single, (1, 1, 1, 1, 2, 2)) == (lanes >= 4)
    assert not few_channels.suits(filters, single, (1, 2, 1, 1, 2, 2))
    assert not few_channels.suits(filters, single, (1, 1, 1, 2, 2, 2))
    assert not few_channels.suits((filters[0], 1, 1, 5), single, (1, 1, 1, 1, 2, 2))
    assert not few_channels.suits((lanes, 16, 5, 5), single, (1, 1, 1, 1, 2, 2))


@settings(max_examples=80)
@given(
    st.integers(0, 4),
    st.integers(1, 9),
    st.tuples(st.integers(1, 5), st.integers(1, 9)),
    st.tuples(st.integers(1, 20), st.integers(1, 40)),
    st.integers(1, 2),
    st.integers(0, 3),
    st.sampled_from(ORDERS),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_conv2d_from_one_channel_to_a_few(batch, filters, kernel, more, dilation, padding, order, seed, with_bias):
    size = tuple(dilation * (k - 1) + n for k, n in zip(kernel, more, strict=True))
    shapes = [(batch, 1, *size), (filters, 1, *kernel)] + [(filters,)] * with_bias
    terms = max(batch * size[0] * size[1], np.prod(kernel) * filters) * 9
    function = partial(conv2d, dilation=dilation, padding=padding)
    assert_twins_agree(function, shapes, seed, order, terms)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", range(1, 10))
def test_taps_of_one_channel_woven_side_by_side(dtype, width):
    lanes, rng = vectors.real(dtype).lanes, np.random.default_rng(width)
    filters = max(2, lanes // 2)
    # The tallest do not fit the tile any more, and are summed up in another way.
    for height in range(1, vectors.VECTORS * lanes // width + 1):
        w = rng.integers(-3, 4, (filters, 1, height, width)).astype(dtype)
        x = rng.integers(-3, 4, (3, 1, height + 5, width + 3)).astype(dtype)
        y, pullback = conv2d(x, w, np.ones(filters, dtype))
        dy = rng.integers(-3, 4, y.shape).astype(dtype)
        _, dw, db = pullback(dy)
        seen = np.lib.stride_tricks.sliding_window_view(x[:, 0], (height, width), axis=(1, 2))
        # Sums of small whole numbers are exact in whatever order.
        np.testing.assert_array_equal(dw[:, 0], np.einsum("nfij,nijrs->frs", dy, seen))
        np.testing.assert_array_equal(db, dy.sum(axis=(0, 2, 3)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (5, 1, 0, 6), (3, 3, 3, 3)])
def test_input_gradients_where_padding_is_wider_than_the_kernel(groups, padding):
    shapes = [(2, 4, 3, 6), (6, 4 // groups, 2, 1), (6,)]
    for dilation in (1, 2):
        function = partial(conv2d, padding=padding, groups=groups, dilation=dilation)
        assert_twins_agree(function, shapes, 0, "C", 1000)


@settings(max_examples=80)
@given(convolutions(), st.sampled_from(ORDERS), st.integers(0, 2**32 - 1), st.booleans())
def test_conv_transpose2d(call, order, seed, with_bias):
    batch, channels, filters, kernel, size, options = call
    options = options | {"padding": 0}
    shapes = [(batch, channels, *size), (channels, filters // options["groups"], *kernel)]
    shapes += [(filters,)] * with_bias
    terms = max(batch * size[0] * size[1], np.prod(kernel) * max(channels, filters)) * 9
    assert_twins_agree(partial(conv_transpose2d, **options), shapes, seed, order, terms)


@settings(max_examples=80)
@given(
    st.integers(0, 70),
    st.integers(1, 600),
    st.integers(1, 130),
    st.sampled_from(ORDERS),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_linear(samples, features, outputs, order, seed, with_bias):
    shapes = [(samples, features), (outputs, features)] + [(outputs,)] * with_bias
    assert_twins_agree(linear, shapes, seed, order, max(samples, features, outputs))


@pytest.mark.parametrize("samples", [1, 2, 64])
@pytest.mark.parametrize("order", ["C", "channels last"])
def test_convolutions_large_enough_for_several_tasks(samples, order):
    shapes = [(samples, 24, 40 if samples < 64 else 13, 21), (40, 24, 3, 3), (40,)]
    assert_twins_agree(partial(conv2d, padding="same"), shapes, 0, order, 64 * 13 * 21 * 24)
    assert_twins_agree(partial(conv2d, padding=1, stride=2), shapes, 1, order, 64 * 13 * 21 * 24)


@settings(max_examples=25)
@given(
    st.integers(1, 5),
    st.sampled_from([16, 32, 48]),
    st.sampled_from([16, 32, 48]),
    st.tuples(st.integers(2, 15), st.integers(2, 15)),
    st.tuples(*[st.integers(1, 3)] * 4),
    st.sampled_from(ORDERS),
    st.integers(0, 2**32 - 1),
)
def test_filters_of_3x3_that_go_through_winograd_s_algorithm(batch, channels, filters, size, padding, order, seed):
    shapes = [(batch, channels, *size), (filters, channels, 3, 3), (filters,)]
    assert winograd.suits(shapes[1], (1, 1), (1, 1), 16)
    terms = 9 * max(channels, filters, batch * 20 * 20)
    assert_twins_agree(partial(conv2d, padding=padding), shapes, seed, order, terms)


def test_winograd_s_algorithm_is_as_exact_as_plain_sums():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(8, 64, 16, 16)), rng.normal(size=(64, 64, 3, 3))
    right = conv2d(x, w, padding=1)[0]
    single = conv2d(x.astype(np.float32), w.astype(np.float32), padding=1)[0]
    with engines.engine("definition"):
        plain = conv2d(x.astype(np.float32), w.astype(np.float32), padding=1)[0]
    assert np.abs(single - right).max() < 4 * np.abs(plain - right).max()


def test_one_output_position_per_image():
    assert_twins_agree(conv2d, [(33, 5, 4, 4), (37, 5, 4, 4), (37,)], 0, "C", 33 * 80)
    assert_twins_agree(conv2d, [(7, 35, 1, 1), (20, 35, 1, 1), (20,)], 1, "C", 35)


def test_same_bits_from_call_to_call():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(16, 8, 30, 30)).astype(np.float32), rng.normal(size=(20, 8, 3, 3)).astype(np.float32)
    dy = rng.normal(size=(16, 20, 28, 28)).astype(np.float32)
    first = passes(conv2d, [x, w], dy)
    for _ in range(5):
        for a, b in zip(first, passes(conv2d, [x, w], dy), strict=True):
            assert np.array_equal(a, b)
