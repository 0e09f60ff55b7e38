import numpy as np
import pytest

from tests.layers.shared import assert_gradients, assert_is, draw, images, shapes_of
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError, ShapeError
from whygrad.initializers import glorot_uniform
from whygrad.layers import Conv2d

OPTIONS = [
    {},
    {"bias": False},
    {"bias": (5, 6)},
    {"stride": (2, 1), "padding": (1, 0, 2, 1)},
    {"padding": "same", "stride": 2},
    {"padding": "valid", "dilation": (1, 2)},
    {"groups": 2, "padding": 1},
]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


@every_option
def test_gives_what_its_operation_gives(options):
    layer = Conv2d(4, 6, (3, 2), **options)
    rest = {name: value for name, value in options.items() if name != "bias"}
    assert_is(layer, lambda *arrays: ops.conv2d(*arrays, **rest), (4, 7, 7))


@every_option
def test_gradients_are_those_of_finite_differences(options):
    options = options | ({"bias": (3, 4)} if isinstance(options.get("bias"), tuple) else {})
    assert_gradients(Conv2d(2, 2, (3, 2), **options), (2, 5, 5))


def test_names_its_parameters():
    assert shapes_of(Conv2d(4, 6, (3, 2))) == {"weight": (6, 4, 3, 2), "bias": (6,)}
    assert shapes_of(Conv2d(4, 6, 3, groups=2, bias=False)) == {"weight": (6, 2, 3, 3)}
    assert shapes_of(Conv2d(4, 6, 3, bias=(5, 7)))["bias"] == (6, 5, 7)


def test_starts_as_its_initializers_say():
    layer = Conv2d(1, 4, 3, weight_init=glorot_uniform)
    weight = glorot_uniform(np.random.default_rng(0), (4, 1, 3, 3), np.float32)
    params = layer.init(np.random.default_rng(0))
    np.testing.assert_array_equal(params["weight"], weight)
    np.testing.assert_array_equal(params["bias"], np.zeros(4, np.float32))


def test_shows_what_differs_from_the_defaults():
    assert repr(Conv2d(1, 6, 5)) == "Conv2d(1, 6, 5)"
    layer = Conv2d(1, 6, (5, 3), stride=2, padding="same", bias=False, weight_init=glorot_uniform)
    shown = "Conv2d(1, 6, (5, 3), stride=2, padding='same', bias=False, weight_init=glorot_uniform)"
    assert repr(layer) == shown


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((0, 4, 3), {}, "in_channels to be a whole number of at least 1, received 0; change in_channels"),
        ((4, 2.5, 3), {}, "out_channels to be a whole number of at least 1, received 2.5"),
        ((4, 4, 0), {}, "kernel_size to be a whole number of at least 1, received 0"),
        ((4, 4, (3, 3, 3)), {}, "kernel_size as a whole number or (vertical, horizontal), received (3, 3, 3)"),
        ((4, 4, 3), {"groups": 0}, "groups to be a whole number of at least 1, received 0"),
        ((4, 4, 3), {"groups": 3}, "groups that divide the 4 input channels and the 4 filters, received groups=3"),
        ((4, 3, 3), {"groups": 2}, "groups that divide the 4 input channels and the 3 filters, received groups=2"),
    ],
)
def test_refuses_hyper_parameters_outside_their_domain(arguments, options, text):
    with refusal(OptionError, f"Conv2d: expected {text}"):
        Conv2d(*arguments, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"stride": 0}, "stride to be a whole number of at least 1, received 0"),
        ({"dilation": -1}, "dilation to be a whole number of at least 1, received -1"),
        (
            {"padding": "full"},
            'padding as "same", "valid", a whole number, a pair or four sides, received \'full\'',
        ),
        ({"padding": -1}, "padding to be a whole number of at least 0, received -1"),
        ({"bias": 1}, "bias as True, False or (I, J), received 1; change bias"),
        ({"bias": (0, 1)}, "bias to be a whole number of at least 1, received 0"),
    ],
)
def test_refuses_windows_that_cannot_be_laid(options, text):
    with refusal(OptionError, f"Conv2d: expected {text}"):
        Conv2d(1, 4, 3, **options)


def test_refuses_an_image_smaller_than_the_kernel():
    with refusal(ShapeError, "conv2d: expected a window no larger than the padded image of 2x8"):
        Conv2d(1, 4, 3).output_shape((1, 2, 8))


def test_refuses_images_of_other_channels_when_called():
    layer = Conv2d(3, 4, 3)
    with refusal(ShapeError, "conv2d: expected x with 3 channels"):
        layer(draw(layer), *images((1, 8, 8)))


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_refuses_missing_and_misshapen_parameters_by_name(name):
    layer = Conv2d(1, 4, 3)
    params = draw(layer)
    (x,) = images((1, 8, 8))
    with refusal(
        OptionError, f"parameters: expected an entry {name!r}, received none; create them with model.init"
    ):
        layer({n: a for n, a in params.items() if n != name}, x)
    with refusal(ShapeError, f"parameters: expected {name} of shape {params[name].shape}, received (7,); create"):
        layer(params | {name: np.ones(7)}, x)
