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
    shapes,
    sources,
)
from whygrad.errors import OptionError, ShapeError
from whygrad.ops import upsample_nearest2d


@needs_torch
@given(sources(), shapes(min_dims=4), st.integers(1, 3) | pairs(1, 4))
def test_value_and_gradient_are_those_of_pytorch(source, shape, factor):
    peer = partial(functional().interpolate, scale_factor=factor, mode="nearest")
    assert_agrees(partial(upsample_nearest2d, scale_factor=factor), peer, source, source.normal(*shape))


@given(st.integers(0, 99), shapes(min_dims=4), pairs(1, 4))
def test_value_and_gradient_are_those_of_the_definition(seed, shape, factor):
    x = Source(seed).normal(*shape)
    y, pullback = upsample_nearest2d(x, scale_factor=factor)
    assert y.shape == (*shape[:2], shape[2] * factor[0], shape[3] * factor[1])
    dy, dx = Source(seed + 1).normal(*y.shape), np.zeros(shape)
    for n, c, i, j in np.ndindex(*y.shape):
        assert y[n, c, i, j] == x[n, c, i // factor[0], j // factor[1]]
        dx[n, c, i // factor[0], j // factor[1]] += dy[n, c, i, j]
    assert_close(pullback(dy), dx)


def test_repeats_every_pixel_in_a_block_and_adds_the_gradients_of_the_block_up():
    y, pullback = upsample_nearest2d(image([[1, 2]]))
    np.testing.assert_array_equal(y, image([[1, 1, 2, 2], [1, 1, 2, 2]]))
    np.testing.assert_array_equal(pullback(image([[1, 2, 3, 4], [5, 6, 7, 8]])), image([[14, 22]]))


def test_a_pair_gives_the_height_of_the_block_first():
    y, _ = upsample_nearest2d(image([[1, 2]]), scale_factor=(3, 1))
    np.testing.assert_array_equal(y, image([[1, 2], [1, 2], [1, 2]]))


def test_refuses_images_of_another_rank():
    with refusal(ShapeError, "upsample_nearest2d: expected x of shape (N, C, H, W), received (2, 3, 4); add the"):
        upsample_nearest2d(np.ones((2, 3, 4)))


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (0, "scale_factor to be a whole number of at least 1, received 0; change scale_factor"),
        (True, "scale_factor to be a whole number of at least 1, received True"),
        ((2, 1.5), "scale_factor to be a whole number of at least 1, received 1.5"),
        (1.5, "scale_factor as a whole number or (vertical, horizontal), received 1.5"),
        ((2,), "scale_factor as a whole number or (vertical, horizontal), received (2,)"),
    ],
)
def test_refuses_factors_that_are_not_whole_numbers(factor, text):
    with refusal(OptionError, f"upsample_nearest2d: expected {text}"):
        upsample_nearest2d(np.ones((1, 1, 2, 2)), scale_factor=factor)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("upsample_nearest2d", lambda x: upsample_nearest2d(x[None, None]))


def test_pullback_survives_pickling():
    y, pullback = upsample_nearest2d(Source(0).normal(2, 3, 2, 3))
    assert_pickles(pullback, y)
