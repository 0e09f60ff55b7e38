from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import Source, assert_close, assert_pickles, image, pairs, products, refusal, sources
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.ops import conv2d

QUESTION = image([[1, -1, 0], [0, 1, 0], [0, -1, 1]])
FILTER = image([[1, -1], [1, 1]])


def sides_of(options, size, kernel):
    """Return (top, bottom, left, right) from the documented meaning of each form of padding."""
    padding = options["padding"]
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        sides = ()
        for n, k, t, d in zip(size, kernel, options["stride"], options["dilation"], strict=True):
            total = max(0, (-(-n // t) - 1) * t + d * (k - 1) + 1 - n)
            sides += (total // 2, total - total // 2)
        return sides
    if isinstance(padding, int):
        return (padding,) * 4
    return padding if len(padding) == 4 else (padding[0], padding[0], padding[1], padding[1])


@st.composite
def calls(draw):
    """Draw the shapes and options of a call, from one group to depthwise."""
    groups, per_group, filters = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = draw(pairs(1, 3))
    four = st.tuples(*[st.integers(0, 2)] * 4)
    options = {
        "stride": draw(pairs(1, 3)),
        "padding": draw(st.sampled_from(["same", "valid"]) | st.integers(0, 2) | pairs(0, 2) | four),
        "dilation": draw(pairs(1, 2)),
        "groups": groups,
    }
    sides = (0, 0, 0, 0) if options["padding"] == "same" else sides_of(options, (0, 0), kernel)
    size = tuple(
        max(1, options["dilation"][axis] * (kernel[axis] - 1) + 1 - sides[2 * axis] - sides[2 * axis + 1])
        + draw(st.integers(0, 4))
        for axis in (0, 1)
    )
    x_shape = (draw(st.integers(1, 3)), groups * per_group, *size)
    return x_shape, (groups * filters, per_group, *kernel), options


@needs_torch
@given(sources(), calls(), st.sampled_from(["none", "channel", "position"]))
def test_value_and_gradients_are_those_of_pytorch(source, call, bias):
    x_shape, w_shape, options = call
    top, bottom, left, right = sides_of(options, x_shape[2:], w_shape[2:])

    def peer(x, w, b=None):
        per_channel = b if bias == "channel" else None
        padded = functional().pad(x, (left, right, top, bottom))
        rest = {name: options[name] for name in ("stride", "dilation", "groups")}
        y = functional().conv2d(padded, w, per_channel, **rest)
        return y + b if bias == "position" else y

    inputs = [source.normal(*x_shape), source.normal(*w_shape)]
    output = conv2d(*inputs, **options)[0].shape[1:]
    if bias != "none":
        inputs.append(source.normal(*output[:1] if bias == "channel" else output))
    assert_agrees(partial(conv2d, **options), peer, source, *inputs)


@needs_torch
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@given(sources(), pairs(1, 4), pairs(1, 2))
def test_same_padding_at_stride_1_is_that_of_pytorch(source, kernel, dilation):
    options = {"padding": "same", "dilation": dilation}
    x, w = source.normal(2, 2, 5, 4), source.normal(3, 2, *kernel)
    assert_agrees(partial(conv2d, **options), partial(functional().conv2d, **options), source, x, w)


@given(st.integers(0, 99), calls())
def test_value_and_gradients_are_those_of_the_definition(seed, call):
    x_shape, w_shape, options = call
    source = Source(seed)
    x, w = source.normal(*x_shape), source.normal(*w_shape)
    sides, ((t, u), (d, e)) = sides_of(options, x_shape[2:], w_shape[2:]), (options["stride"], options["dilation"])
    height = (x_shape[2] + sides[0] + sides[1] - d * (w_shape[2] - 1) - 1) // t + 1
    width = (x_shape[3] + sides[2] + sides[3] - e * (w_shape[3] - 1) - 1) // u + 1
    y = np.zeros((x_shape[0], w_shape[0], height, width))
    dy, dx, dw = source.normal(*y.shape), np.zeros_like(x), np.zeros_like(w)
    rest = {name: options[name] for name in ("stride", "dilation", "groups")}
    for out, tap, pixel in products(w_shape, y.shape, x_shape[2:], sides=sides, **rest):
        y[out] += w[tap] * x[pixel]
        dx[pixel] += w[tap] * dy[out]
        dw[tap] += x[pixel] * dy[out]

    value, pullback = conv2d(x, w, **options)
    assert_close(value, y)
    gradients = pullback(dy)
    assert_close(gradients[0], dx)
    assert_close(gradients[1], dw)
    assert gradients[2] is None


def test_forward_numbers_of_the_course_cs231n():
    x, w = np.linspace(-0.1, 0.5, 96).reshape(2, 3, 4, 4), np.linspace(-0.2, 0.3, 144).reshape(3, 3, 4, 4)
    y, _ = conv2d(x, w, np.linspace(-0.1, 0.2, 3), stride=2, padding=1)
    printed = [
        [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
        [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
        [[0.50813986, 0.54309974], [0.64082444, 0.67101435]],
    ]
    np.testing.assert_allclose(y[0], printed, atol=5e-9)


def test_response_and_filter_gradient_of_a_hand_calculation():
    y, pullback = conv2d(QUESTION, FILTER)
    np.testing.assert_array_equal(y, image([[3, 0], [-2, 1]]))
    # The derivative of ½Σ(target − relu(y))² with the target [[1, 0], [0, 1]] is [[2, 0], [0, 0]].
    dx, dw, db = pullback(image([[2, 0], [0, 0]]))
    np.testing.assert_array_equal(dw, image([[2, -2], [0, 2]]))
    np.testing.assert_array_equal(dx, image([[2, -2, 0], [2, 2, 0], [0, 0, 0]]))
    assert db is None


def test_correlation_of_input_and_error_of_a_hand_calculation():
    _, pullback = conv2d(QUESTION, FILTER)
    _, dw, _ = pullback(image([[-2, -1], [0, 0]]))
    np.testing.assert_array_equal(dw, image([[-1, 2], [-1, -2]]))


def test_bias_gradients_are_sums_over_all_that_the_bias_was_added_to():
    x, w, dy = np.ones((2, 1, 2, 3)), np.ones((1, 1, 1, 2)), np.arange(8.0).reshape(2, 1, 2, 2)
    _, _, per_channel = conv2d(x, w, np.zeros(1))[1](dy)
    _, _, per_position = conv2d(x, w, np.zeros((1, 2, 2)))[1](dy)
    np.testing.assert_array_equal(per_channel, [28])
    np.testing.assert_array_equal(per_position, [[[4, 6], [8, 10]]])


def test_the_odd_remainder_of_same_padding_goes_to_the_bottom_and_right():
    y, _ = conv2d(image([[1, 2], [3, 4]]), np.ones((1, 1, 2, 2)), padding="same")
    np.testing.assert_array_equal(y, image([[10, 6], [7, 4]]))


SHAPES = {"x": (1, 4, 3, 5), "w": (6, 4, 3, 3), "b": (6,)}
IMAGES, FILTERS = np.ones(SHAPES["x"]), np.ones(SHAPES["w"])
WIDE = "window no larger than the padded image of 3x5 with padding (0, 0, 0, 0), received a 3x3 window that spans"
FORMS = "a whole number, (vertical, horizontal)"


@pytest.mark.parametrize(
    ("changed", "options", "text"),
    [
        (
            {"x": (28, 28)},
            {},
            "x of shape (N, C, H, W), received (28, 28); add the missing axes with x[None, None]",
        ),
        ({"x": (4, 9, 9)}, {}, "x of shape (N, C, H, W), received (4, 9, 9); add the missing axes with x[None]"),
        ({"w": (4, 3, 3)}, {}, "w of shape (F, C/groups, R, S), received (4, 3, 3); reshape w to 4 axes"),
        ({"w": (6, 3, 3, 3)}, {}, "x with 3 channels (w has 3 a group, 1 groups), received 4 channels; give w"),
        ({}, {"groups": 2}, "x with 8 channels (w has 4 a group, 2 groups), received 4 channels; give w the shape"),
        ({}, {"dilation": (1, 3)}, f"a {WIDE} 3x7; use a smaller kernel or dilation, more padding"),
        ({}, {"dilation": (2, 1)}, f"a {WIDE} 5x3; use a smaller kernel or dilation, more padding"),
        ({"b": (4,)}, {}, "b of shape (6,) or (6, 1, 3), received (4,); give one bias a channel"),
        ({"b": (6, 3, 1)}, {}, "b of shape (6,) or (6, 1, 3), received (6, 3, 1)"),
    ],
)
def test_refuses_shapes_that_do_not_fit(changed, options, text):
    arrays = {name: np.ones(shape) for name, shape in (SHAPES | changed).items()}
    with refusal(ShapeError, f"conv2d: expected {text}"):
        conv2d(**arrays, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"groups": 3}, "groups that divide the 4 input channels and the 6 filters, received groups=3"),
        ({"groups": 4}, "groups that divide the 4 input channels and the 6 filters, received groups=4"),
        ({"groups": 0}, "groups to be a whole number of at least 1, received 0"),
        ({"stride": 0}, "stride to be a whole number of at least 1, received 0; change stride"),
        ({"stride": (1, 2, 1)}, "stride as a whole number or (vertical, horizontal), received (1, 2, 1)"),
        ({"stride": 1.5}, "stride as a whole number or (vertical, horizontal), received 1.5; change stride"),
        ({"dilation": (1, 0)}, "dilation to be a whole number of at least 1, received 0"),
        ({"padding": -1}, "padding to be a whole number of at least 0, received -1"),
        ({"padding": (1, 2, 3)}, f"padding as {FORMS} or (top, bottom, left, right), received (1, 2, 3)"),
        ({"padding": "full"}, 'padding as "same", "valid", a whole number, a pair or four sides, received'),
    ],
)
def test_refuses_options_outside_their_domain(options, text):
    with refusal(OptionError, f"conv2d: expected {text}"):
        conv2d(IMAGES, FILTERS, **options)


def test_refuses_integer_images_with_the_conversion_that_they_need():
    hint = "convert it, for an image with x.astype(np.float32) / 255"
    with refusal(DTypeError, f"conv2d: expected x of dtype float32 or float64, received uint8; {hint}"):
        conv2d(IMAGES.astype(np.uint8), FILTERS)


@pytest.mark.parametrize("name", ["w", "b"])
def test_refuses_arrays_of_another_dtype_than_the_images(name):
    arrays = {"x": IMAGES, "w": FILTERS, "b": np.ones(6)}
    arrays[name] = arrays[name].astype(np.float32)
    expected = f"all arrays of one dtype (x is float64), received {name} of float32"
    with refusal(DTypeError, f"conv2d: expected {expected}; convert with {name}.astype(np.float64)"):
        conv2d(**arrays)


def test_refuses_a_gradient_of_another_shape_than_the_value():
    with refusal(ShapeError, "conv2d backward: expected dy of shape (1, 6, 1, 3), received (1, 6, 3, 1); dy is"):
        conv2d(IMAGES, FILTERS)[1](np.ones((1, 6, 3, 1)))


def test_pullback_survives_pickling():
    y, pullback = conv2d(IMAGES, FILTERS, np.ones(6), padding=1, stride=2)
    assert_pickles(pullback, y)
