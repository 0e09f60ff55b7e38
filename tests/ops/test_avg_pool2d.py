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
from whygrad.ops import avg_pool2d


@st.composite
def calls(draw):
    """Draw the shape and options of a call whose windows all see some of the image, as PyTorch asks."""
    kernel = draw(pairs(1, 4))
    options = {
        "kernel_size": kernel,
        "stride": draw(st.none() | pairs(1, 4)),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "ceil_mode": draw(st.booleans()),
        "count_include_pad": draw(st.booleans()),
    }
    size = (max(1, k - 2 * p) + draw(st.integers(0, 4)) for k, p in zip(kernel, options["padding"], strict=True))
    return (*draw(pairs(1, 3)), *size), options


@needs_torch
@given(sources(), calls())
def test_value_and_gradient_are_those_of_pytorch(source, call):
    shape, options = call
    peer = partial(functional().avg_pool2d, **options)
    assert_agrees(partial(avg_pool2d, **options), peer, source, source.normal(*shape))


@needs_torch
@given(sources(), st.tuples(*[st.integers(0, 1)] * 4))
def test_four_sides_of_padding_are_those_of_pytorch(source, sides):
    top, bottom, left, right = sides

    def peer(x):
        return functional().avg_pool2d(functional().pad(x, (left, right, top, bottom)), (2, 3), stride=(1, 2))

    ours = partial(avg_pool2d, kernel_size=(2, 3), stride=(1, 2), padding=sides)
    assert_agrees(ours, peer, source, source.normal(2, 2, 4, 5))


@given(st.integers(0, 99), calls())
def test_value_and_gradient_are_those_of_the_definition(seed, call):
    shape, options = call
    x = Source(seed).normal(*shape)
    y, pullback = avg_pool2d(x, **options)
    dy, wanted, dx = Source(seed + 1).normal(*y.shape), np.zeros(y.shape), np.zeros(shape)
    stride, (p, q) = options["stride"] or options["kernel_size"], options["padding"]
    margin = (p, q) if options["count_include_pad"] else (0, 0)
    for n, c, i, j in np.ndindex(*y.shape):
        seen = [(i * stride[0] + r - p, j * stride[1] + s - q) for r, s in np.ndindex(*options["kernel_size"])]
        inside = [(a, b) for a, b in seen if 0 <= a < shape[2] and 0 <= b < shape[3]]
        counted = [
            (a, b)
            for a, b in seen
            if -margin[0] <= a < shape[2] + margin[0] and -margin[1] <= b < shape[3] + margin[1]
        ]
        for place in inside:
            wanted[n, c, i, j] += x[n, c, *place] / len(counted)
            dx[n, c, *place] += dy[n, c, i, j] / len(counted)
    assert_close(y, wanted)
    assert_close(pullback(dy), dx)


def test_passes_the_mean_on_and_the_gradient_back_in_equal_shares():
    y, pullback = avg_pool2d(image([[1, 2], [3, 6]]), kernel_size=2)
    np.testing.assert_array_equal(y, image([[3]]))
    np.testing.assert_array_equal(pullback(image([[4]])), np.ones((1, 1, 2, 2)))


@pytest.mark.parametrize(
    ("count_include_pad", "means", "shares"),
    [(True, [[3, 5]], [[0.5, 1, 1]]), (False, [[6, 5]], [[1, 1, 1]])],
)
def test_counts_the_padding_only_when_told_to(count_include_pad, means, shares):
    options = {"kernel_size": (1, 2), "padding": (0, 0, 1, 0), "count_include_pad": count_include_pad}
    y, pullback = avg_pool2d(image([[6, 4, 6]]), **options)
    np.testing.assert_array_equal(y, image(means))
    np.testing.assert_array_equal(pullback(image([[1, 2]])), image(shares))


@pytest.mark.parametrize("count_include_pad", [True, False])
def test_never_counts_what_a_last_window_sees_beyond_the_padded_image(count_include_pad):
    options = {"kernel_size": (1, 2), "ceil_mode": True, "count_include_pad": count_include_pad}
    y, pullback = avg_pool2d(image([[2, 4, 8]]), **options)
    np.testing.assert_array_equal(y, image([[3, 8]]))
    np.testing.assert_array_equal(pullback(image([[2, 5]])), image([[1, 1, 5]]))


def test_refuses_images_of_another_rank_and_windows_that_do_not_fit():
    with refusal(ShapeError, "avg_pool2d: expected x of shape (N, C, H, W), received (4, 4); add the missing"):
        avg_pool2d(np.ones((4, 4)), kernel_size=2)
    with refusal(ShapeError, "avg_pool2d: expected a window no larger than the padded image of 4x4 with padding"):
        avg_pool2d(np.ones((1, 1, 4, 4)), kernel_size=(5, 2))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kernel_size": 0}, "kernel_size to be a whole number of at least 1, received 0"),
        ({"kernel_size": 2, "stride": (1, 0)}, "stride to be a whole number of at least 1, received 0"),
        (
            {"kernel_size": 2, "padding": "same ones"},
            "padding as a whole number, (vertical, horizontal) or (top, bottom, left, right)",
        ),
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
    with refusal(OptionError, f"avg_pool2d: expected {text}"):
        avg_pool2d(np.ones((1, 1, 4, 5)), **options)


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("avg_pool2d", lambda x: avg_pool2d(x[None, None], kernel_size=2))


def test_pullback_survives_pickling():
    y, pullback = avg_pool2d(Source(0).normal(2, 3, 5, 6), kernel_size=3, stride=2, padding=1)
    assert_pickles(pullback, y)
