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
    refusal,
    sources,
)
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import pad2d

MODES = st.sampled_from(["constant", "reflect", "replicate"])
SIDES = st.tuples(*[st.integers(0, 2)] * 4)
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(3, 5), st.integers(3, 5))


@needs_torch
@given(sources(), SIZES, SIDES, MODES, st.sampled_from([0.0, 1.5, -3]))
def test_value_and_gradient_are_those_of_pytorch(source, shape, sides, mode, value):
    top, bottom, left, right = sides
    value = value if mode == "constant" else 0.0

    def peer(x):
        return functional().pad(x, (left, right, top, bottom), mode=mode, value=value or None)

    assert_agrees(partial(pad2d, padding=sides, mode=mode, value=value), peer, source, source.normal(*shape))


def shown(position, before, size, mode):
    """Return the pixel that a position of the padded axis shows, or None."""
    at = position - before
    if mode == "constant":
        return at if 0 <= at < size else None
    if mode == "replicate":
        return min(max(at, 0), size - 1)
    return -at if at < 0 else 2 * (size - 1) - at if at >= size else at


@given(st.integers(0, 99), SIZES, SIDES, MODES)
def test_value_and_gradient_are_those_of_the_definition(seed, shape, sides, mode):
    x, (top, _, left, _) = Source(seed).normal(*shape), sides
    y, pullback = pad2d(x, padding=sides, mode=mode, value=7)
    assert y.shape == (*shape[:2], shape[2] + sum(sides[:2]), shape[3] + sum(sides[2:]))
    dy, wanted, dx = Source(seed + 1).normal(*y.shape), np.full(y.shape, 7.0), np.zeros(shape)
    for n, c, i, j in np.ndindex(*y.shape):
        a, b = shown(i, top, shape[2], mode), shown(j, left, shape[3], mode)
        if a is not None and b is not None:
            wanted[n, c, i, j] = x[n, c, a, b]
            dx[n, c, a, b] += dy[n, c, i, j]
    assert_close(y, wanted)
    assert_close(pullback(dy), dx)


@pytest.mark.parametrize(
    ("mode", "padded", "gradient"),
    [
        ("constant", [9, 9, 1, 2, 3, 9], [4, 8, 16]),
        ("reflect", [3, 2, 1, 2, 3, 2], [4, 2 + 8 + 32, 1 + 16]),
        ("replicate", [1, 1, 1, 2, 3, 3], [1 + 2 + 4, 8, 16 + 32]),
    ],
)
def test_each_mode_shows_its_pixels_and_adds_their_gradients_up(mode, padded, gradient):
    y, pullback = pad2d(image([[1, 2, 3]]), padding=(0, 0, 2, 1), mode=mode, value=9)
    np.testing.assert_array_equal(y, image([padded]))
    np.testing.assert_array_equal(pullback(image([[1, 2, 4, 8, 16, 32]])), image([gradient]))


@pytest.mark.parametrize(("padding", "shape"), [(1, (4, 5)), ((0, 2), (2, 7)), ((1, 0, 3, 0), (3, 6))])
def test_padding_is_given_for_all_sides_or_two_or_each(padding, shape):
    y, _ = pad2d(np.ones((1, 1, 2, 3)), padding=padding)
    assert y.shape[2:] == shape
    assert y.sum() == 6


@pytest.mark.parametrize("value", [-np.inf, np.inf])
def test_infinities_may_be_written(value):
    y, _ = pad2d(image([[1]]), padding=(0, 0, 1, 0), value=value)
    np.testing.assert_array_equal(y, image([[value, 1]]))


@pytest.mark.parametrize(
    ("shape", "options", "text"),
    [
        (
            (2, 3),
            {"padding": 1},
            "x of shape (N, C, H, W), received (2, 3); add the missing axes with x[None, None]",
        ),
        (
            (1, 1, 3, 2),
            {"padding": 2, "mode": "reflect"},
            "at least 3 pixels to reflect, received 2; pad less than 2",
        ),
        (
            (1, 1, 0, 2),
            {"padding": 1, "mode": "replicate"},
            "at least 1 pixels to replicate, received 0; check the",
        ),
    ],
)
def test_refuses_images_that_are_too_small_or_of_another_rank(shape, options, text):
    with refusal(ShapeError, f"pad2d: expected {text}"):
        pad2d(np.ones(shape), **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"padding": 1, "mode": "wrap"},
            'mode "constant", "reflect" or "replicate", received \'wrap\'; change mode',
        ),
        ({"padding": -1}, "padding to be a whole number of at least 0, received -1; change padding"),
        (
            {"padding": 0.5},
            "padding as a whole number, (vertical, horizontal) or (top, bottom, left, right), received",
        ),
        (
            {"padding": "same"},
            "padding as a whole number, (vertical, horizontal) or (top, bottom, left, right)",
        ),
        ({"padding": 1, "value": np.nan}, "value in [-1.79769e+308, 1.79769e+308], received nan; change value"),
        ({"padding": 1, "value": "0"}, "value in [-1.79769e+308, 1.79769e+308], received '0'; change value"),
    ],
)
def test_refuses_options_outside_their_domain(options, text):
    with refusal(OptionError, f"pad2d: expected {text}"):
        pad2d(np.ones((1, 1, 3, 3)), **options)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("pad2d", lambda x: pad2d(x[None, None], padding=1))


def test_pullback_survives_pickling():
    y, pullback = pad2d(Source(0).normal(2, 3, 4, 5), padding=2, mode="reflect")
    assert_pickles(pullback, y)


def test_a_value_that_the_dtype_cannot_hold_is_refused_and_infinity_is_not():
    x = np.zeros((1, 1, 1, 1), np.float32)
    for value in (1e300, 10**400):
        with pytest.raises(OptionError, match="value in"):
            pad2d(x, padding=1, value=value)
    assert pad2d(x, padding=1, value=-np.inf)[0][0, 0, 0, 0] == -np.inf
