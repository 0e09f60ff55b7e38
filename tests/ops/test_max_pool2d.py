from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import (
    Source,
    assert_close,
    assert_elementwise_refusals,
    assert_pickles,
    image,
    pairs,
    refusal,
    sources,
)
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import max_pool2d


@st.composite
def calls(draw):
    """Draw the shape and options of a call whose windows all see some of the image, as PyTorch asks."""
    kernel, dilation = draw(pairs(1, 3)), draw(pairs(1, 2))
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    options = {
        "kernel_size": kernel,
        "stride": draw(st.none() | pairs(1, 4)),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "dilation": dilation,
        "ceil_mode": draw(st.booleans()),
    }
    return (*draw(pairs(1, 3)), *[n + draw(st.integers(0, 4)) for n in span]), options


@needs_torch
@given(sources(), calls(), st.booleans())
def test_value_and_gradient_are_those_of_pytorch_for_ties_too(source, call, with_ties):
    shape, options = call
    x = source.integers(*shape) if with_ties else source.normal(*shape)
    assert_agrees(partial(max_pool2d, **options), partial(functional().max_pool2d, **options), source, x)


@needs_torch
@given(sources(), calls())
def test_padding_never_wins_against_negative_entries(source, call):
    shape, options = call
    x = source.normal(*shape) - np.array(10, source.dtype)
    y, _ = max_pool2d(x, **options)
    assert y.max() < 0
    assert_agrees(partial(max_pool2d, **options), partial(functional().max_pool2d, **options), source, x)


@needs_torch
@given(sources(), st.tuples(*[st.integers(0, 1)] * 4))
def test_four_sides_of_padding_are_those_of_pytorch(source, sides):
    top, bottom, left, right = sides

    def peer(x):
        padded = functional().pad(x, (left, right, top, bottom), value=-np.inf)
        return functional().max_pool2d(padded, 2, stride=(1, 2))

    ours = partial(max_pool2d, kernel_size=2, stride=(1, 2), padding=sides)
    assert_agrees(ours, peer, source, source.normal(2, 2, 4, 5))


@given(st.integers(0, 99), calls())
def test_value_and_gradient_are_those_of_the_definition(seed, call):
    shape, options = call
    x = Source(seed).integers(*shape)
    y, pullback = max_pool2d(x, **options)
    dy, dx = Source(seed + 1).normal(*y.shape), np.zeros(shape)
    stride = options["stride"] or options["kernel_size"]
    for n, c, i, j in np.ndindex(*y.shape):
        best = None
        for r, s in np.ndindex(*options["kernel_size"]):
            a = i * stride[0] + r * options["dilation"][0] - options["padding"][0]
            b = j * stride[1] + s * options["dilation"][1] - options["padding"][1]
            inside = 0 <= a < shape[2] and 0 <= b < shape[3]
            if inside and (best is None or x[n, c, a, b] > x[n, c, *best]):
                best = a, b
        assert y[n, c, i, j] == x[n, c, *best]
        dx[n, c, *best] += dy[n, c, i, j]
    assert_close(pullback(dy), dx)


def test_of_equal_entries_the_first_takes_the_gradient_row_by_row():
    y, pullback = max_pool2d(image([[1, 2, 5], [4, 4, 0], [0, 0, 3]]), kernel_size=2, stride=1)
    np.testing.assert_array_equal(y, image([[4, 5], [4, 4]]))
    np.testing.assert_array_equal(pullback(image([[1, 2], [3, 4]])), image([[0, 0, 2], [4, 4, 0], [0, 0, 0]]))


def test_routes_the_deltas_of_a_hand_calculation_to_the_maxima():
    at = [(1, 1), (0, 2), (2, 1), (3, 3)]
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, *zip(*at, strict=True)] = 0.58, 0.57, 0.65, 0.55
    y, pullback = max_pool2d(x, kernel_size=2)
    np.testing.assert_array_equal(y, image([[0.58, 0.57], [0.65, 0.55]]))
    dx = pullback(image([[0.0364182, 0.068628], [0.04675125, -0.06818625]]))
    assert [dx[0, 0, *place] for place in at] == [0.0364182, 0.068628, 0.04675125, -0.06818625]
    assert np.count_nonzero(dx) == 4


def test_ceil_mode_lets_a_last_window_hang_over_the_edge():
    x = image([[-1, -2, -3]])
    y, pullback = max_pool2d(x, kernel_size=(1, 2), ceil_mode=True)
    np.testing.assert_array_equal(y, image([[-1, -3]]))
    np.testing.assert_array_equal(pullback(image([[5, 7]])), image([[5, 0, 7]]))
    np.testing.assert_array_equal(max_pool2d(x, kernel_size=(1, 2))[0], image([[-1]]))


def test_one_entry_that_wins_several_windows_gets_the_gradient_of_each():
    y, pullback = max_pool2d(image([[0, 0, 0], [0, 9, 0], [0, 0, 0]]), kernel_size=2, stride=1)
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), 9))
    np.testing.assert_array_equal(pullback(image([[1, 2], [4, 8]])), image([[0, 0, 0], [0, 15, 0], [0, 0, 0]]))


def test_refuses_images_of_another_rank_and_windows_that_do_not_fit():
    with refusal(ShapeError, "max_pool2d: expected x of shape (N, C, H, W), received (3, 4, 4); add the missing"):
        max_pool2d(np.ones((3, 4, 4)), kernel_size=2)
    with refusal(ShapeError, "received a 3x2 window that spans 5x2; use a smaller kernel or dilation"):
        max_pool2d(np.ones((1, 1, 4, 4)), kernel_size=(3, 2), dilation=(2, 1))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kernel_size": 0}, "kernel_size to be a whole number of at least 1, received 0"),
        (
            {"kernel_size": (2, 2, 2)},
            "kernel_size as a whole number or (vertical, horizontal), received (2, 2, 2)",
        ),
        ({"kernel_size": 2, "stride": 0}, "stride to be a whole number of at least 1, received 0"),
        ({"kernel_size": 2, "padding": -1}, "padding to be a whole number of at least 0, received -1"),
        (
            {"kernel_size": 2, "padding": 2},
            "every window to see some of the image's 4 rows, received padding (2,",
        ),
        (
            {"kernel_size": 2, "padding": (0, 2)},
            "every window to see some of the image's 5 columns, received",
        ),
    ],
)
def test_refuses_options_outside_their_domain(options, text):
    with refusal(OptionError, f"max_pool2d: expected {text}"):
        max_pool2d(np.ones((1, 1, 4, 5)), **options)


def test_refuses_a_dilated_window_whose_taps_all_miss_a_small_image():
    with refusal(OptionError, "max_pool2d: expected every window to see some of the image's 2 rows"):
        max_pool2d(np.ones((1, 1, 2, 2)), kernel_size=2, padding=1, dilation=3)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("max_pool2d", lambda x: max_pool2d(x[None, None], kernel_size=2))


def test_pullback_survives_pickling():
    y, pullback = max_pool2d(Source(0).normal(2, 3, 5, 6), kernel_size=3, stride=2, padding=1)
    assert_pickles(pullback, y)


def test_padding_never_wins_even_against_minus_infinity():
    y, pullback = max_pool2d(np.full((1, 1, 3, 3), -np.inf), kernel_size=2, padding=1, stride=1)
    dx = pullback(np.ones_like(y))
    assert dx.sum() == y.size
