from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import Source, assert_close, assert_pickles, image, pairs, products, refusal, sources
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.ops import conv2d, conv_transpose2d


@st.composite
def calls(draw):
    """Draw the shapes and options of a call that leaves at least one pixel."""
    groups, channels, filters = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel, size, stride, dilation = (
        draw(pairs(1, 3)),
        draw(pairs(1, 4)),
        draw(pairs(1, 3)),
        draw(pairs(1, 2)),
    )
    extra = tuple(draw(st.integers(0, max(t, d) - 1)) for t, d in zip(stride, dilation, strict=True))
    sides, output = (), ()
    for axis in (0, 1):
        full = (size[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 + extra[axis]
        before = draw(st.integers(0, min(2, full - 1)))
        after = draw(st.integers(0, min(2, full - 1 - before)))
        sides, output = (*sides, before, after), (*output, full - before - after)
    options = {
        "stride": stride,
        "padding": sides,
        "output_padding": extra,
        "dilation": dilation,
        "groups": groups,
    }
    x_shape = (draw(st.integers(1, 3)), groups * channels, *size)
    return x_shape, (groups * channels, filters, *kernel), output, options


@needs_torch
@given(sources(), calls(), st.sampled_from(["none", "channel", "position"]))
def test_value_and_gradients_are_those_of_pytorch(source, call, bias):
    x_shape, w_shape, size, options = call
    top, bottom, left, right = options["padding"]

    def peer(x, w, b=None):
        per_channel = b if bias == "channel" else None
        rest = {name: option for name, option in options.items() if name != "padding"}
        y = functional().conv_transpose2d(x, w, per_channel, **rest)
        y = y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]
        return y + b if bias == "position" else y

    inputs = [source.normal(*x_shape), source.normal(*w_shape)]
    if bias != "none":
        filters = w_shape[1] * options["groups"]
        inputs.append(source.normal(filters, *size) if bias == "position" else source.normal(filters))
    assert_agrees(partial(conv_transpose2d, **options), peer, source, *inputs)


@needs_torch
@given(sources(), pairs(0, 2), pairs(0, 1), st.integers(1, 2))
def test_padding_on_both_sides_is_that_of_pytorch(source, padding, output_padding, groups):
    options = {"stride": 2, "padding": padding, "output_padding": output_padding, "groups": groups}
    x, w = source.normal(2, 4, 3, 4), source.normal(4, 3, 3, 2)
    peer = partial(functional().conv_transpose2d, **options)
    assert_agrees(partial(conv_transpose2d, **options), peer, source, x, w)


@given(st.integers(0, 99), calls())
def test_value_and_gradients_are_those_of_the_definition(seed, call):
    x_shape, w_shape, size, options = call
    source, groups = Source(seed), options["groups"]
    x, w = source.normal(*x_shape), source.normal(*w_shape)
    y_shape = (x_shape[0], w_shape[1] * groups, *size)
    y, dy, dx, dw = np.zeros(y_shape), source.normal(*y_shape), np.zeros_like(x), np.zeros_like(w)
    rest = {name: options[name] for name in ("stride", "dilation")}
    # The products are those of the convolution from y to x.
    for pixel, tap, out in products(w_shape, x_shape, size, sides=options["padding"], groups=groups, **rest):
        y[out] += w[tap] * x[pixel]
        dx[pixel] += w[tap] * dy[out]
        dw[tap] += x[pixel] * dy[out]

    value, pullback = conv_transpose2d(x, w, **options)
    gradients = pullback(dy)
    assert_close(value, y)
    assert_close(gradients[0], dx)
    assert_close(gradients[1], dw)
    assert gradients[2] is None


def test_lays_overlapping_kernels_down_and_adds_them_up():
    y, pullback = conv_transpose2d(image([[1, 2], [3, 4]]), image([[1, 10], [100, 1000]]), np.array([0.5]))
    np.testing.assert_array_equal(y, image([[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]) + 0.5)
    dx, dw, db = pullback(image([[1, 0, 0], [0, 0, 0], [0, 0, 1]]))
    np.testing.assert_array_equal(dx, image([[1, 0], [0, 1000]]))
    np.testing.assert_array_equal(dw, image([[1, 0], [0, 4]]))
    np.testing.assert_array_equal(db, [2])


def test_stride_leaves_gaps_and_padding_cuts_off_the_sides():
    x, w = image([[1, 2]]), image([[3]])
    y, _ = conv_transpose2d(x, w, stride=3, output_padding=(0, 1), padding=(0, 0, 1, 0))
    np.testing.assert_array_equal(y, image([[0, 0, 6, 0]]))


def test_is_the_transpose_of_the_convolution():
    source, options = Source(0), {"stride": 2, "padding": (1, 0, 2, 1), "groups": 2}
    x, w = source.normal(2, 4, 6, 7), source.normal(6, 2, 3, 2)
    y, pullback = conv2d(x, w, **options)
    back, _ = conv_transpose2d(y, w, output_padding=(0, 0), **options)
    assert_close(back, pullback(y)[0][:, :, : back.shape[2], : back.shape[3]])


IMAGES, KERNELS = np.ones((1, 4, 3, 5)), np.ones((4, 3, 2, 2))
NO_PIXEL = "a kernel and an image with at least one entry, received"
REFUSALS = [
    ((np.ones((28, 28)), KERNELS), {}, "x of shape (N, C, H, W), received (28, 28); add the missing axes"),
    ((IMAGES, np.ones((4, 2, 2))), {}, "w of shape (C, F/groups, R, S), received (4, 2, 2); reshape w"),
    (
        (IMAGES, KERNELS[:3]),
        {},
        "w for the 4 channels of x, received 3 channels; give w the shape (C, F/groups",
    ),
    ((IMAGES, KERNELS), {"padding": 2}, "an output of at least 1x1 after padding (2, 2, 2, 2), received 0x2"),
    ((IMAGES, KERNELS[:, :, :0]), {}, f"{NO_PIXEL} (0, 2) and (3, 5)"),
    ((IMAGES[:, :, :0], KERNELS), {}, f"{NO_PIXEL} (2, 2) and (0, 5)"),
    (
        (IMAGES, KERNELS, np.ones(4)),
        {},
        "b of shape (3,) or (3, 4, 6), received (4,); give one bias a channel",
    ),
]


@pytest.mark.parametrize(("inputs", "options", "text"), REFUSALS)
def test_refuses_shapes_that_do_not_fit(inputs, options, text):
    with refusal(ShapeError, f"conv_transpose2d: expected {text}"):
        conv_transpose2d(*inputs, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"groups": 3}, "groups that divide 4 channels, received groups=3"),
        ({"groups": 0}, "groups to be a whole number of at least 1, received 0"),
        ({"output_padding": 1}, "output_padding less than stride or dilation, received 1"),
        (
            {"stride": (1, 2), "output_padding": (1, 1)},
            "output_padding less than stride or dilation, received (1, 1)",
        ),
        ({"output_padding": -1}, "output_padding to be a whole number of at least 0, received -1"),
        (
            {"padding": "same"},
            "padding as a whole number, (vertical, horizontal) or (top, bottom, left, right)",
        ),
        ({"stride": 0}, "stride to be a whole number of at least 1, received 0"),
        ({"dilation": 0}, "dilation to be a whole number of at least 1, received 0"),
    ],
)
def test_refuses_options_outside_their_domain(options, text):
    with refusal(OptionError, f"conv_transpose2d: expected {text}"):
        conv_transpose2d(IMAGES, KERNELS, **options)


def test_refuses_integers_and_dtypes_that_differ():
    with refusal(
        DTypeError, "conv_transpose2d: expected x of dtype float32 or float64, received int64; convert it"
    ):
        conv_transpose2d(IMAGES.astype(np.int64), KERNELS)
    with refusal(DTypeError, "all arrays of one dtype (x is float64), received w of float32"):
        conv_transpose2d(IMAGES, KERNELS.astype(np.float32))


def test_refuses_a_gradient_of_another_shape_than_the_value():
    with refusal(ShapeError, "conv_transpose2d backward: expected dy of shape (1, 3, 4, 6), received (1, 3, 6, 4)"):
        conv_transpose2d(IMAGES, KERNELS)[1](np.ones((1, 3, 6, 4)))


def test_pullback_survives_pickling():
    y, pullback = conv_transpose2d(IMAGES, KERNELS, np.ones(3), stride=2, padding=1)
    assert_pickles(pullback, y)
