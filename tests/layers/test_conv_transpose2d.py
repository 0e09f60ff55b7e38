import numpy as np
import pytest

from tests.layers.shared import assert_gradients, assert_is, draw, images, shapes_of
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import ConvTranspose2d

OPTIONS = [
    {},
    {"bias": False},
    {"bias": (5, 4)},
    {"stride": 2, "padding": 1, "output_padding": (1, 0)},
    {"stride": (1, 2), "padding": (1, 0, 0, 1), "dilation": (2, 1)},
    {"groups": 2},
]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


@every_option
def test_gives_what_its_operation_gives(options):
    layer = ConvTranspose2d(4, 6, (3, 2), **options)
    rest = {name: value for name, value in options.items() if name != "bias"}
    assert_is(layer, lambda *arrays: ops.conv_transpose2d(*arrays, **rest), (4, 3, 3))


@every_option
def test_gradients_are_those_of_finite_differences(options):
    assert_gradients(ConvTranspose2d(2, 2, (3, 2), **options), (2, 3, 3))


def test_names_its_parameters():
    assert shapes_of(ConvTranspose2d(4, 6, (3, 2))) == {"weight": (4, 6, 3, 2), "bias": (6,)}
    assert shapes_of(ConvTranspose2d(4, 6, 3, groups=2, bias=False)) == {"weight": (4, 3, 3, 3)}
    assert shapes_of(ConvTranspose2d(4, 6, 3, bias=(5, 7)))["bias"] == (6, 5, 7)


def test_shows_what_differs_from_the_defaults():
    assert repr(ConvTranspose2d(8, 4, 4)) == "ConvTranspose2d(8, 4, 4)"
    assert repr(ConvTranspose2d(8, 4, 4, stride=2, groups=4)) == "ConvTranspose2d(8, 4, 4, stride=2, groups=4)"


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((0, 4, 3), {}, "in_channels to be a whole number of at least 1, received 0; change in_channels"),
        ((4, True, 3), {}, "out_channels to be a whole number of at least 1, received True"),
        ((4, 4, (3, 0)), {}, "kernel_size to be a whole number of at least 1, received 0"),
        ((4, 4, 3), {"groups": 3}, "groups that divide 4 and 4 channels, received groups=3; change groups"),
    ],
)
def test_refuses_hyper_parameters_outside_their_domain(arguments, options, text):
    with refusal(OptionError, f"ConvTranspose2d: expected {text}"):
        ConvTranspose2d(*arguments, **options)


def test_refuses_what_leaves_no_output():
    with refusal(OptionError, "conv_transpose2d: expected output_padding less than stride or dilation, received 1"):
        ConvTranspose2d(1, 1, 3, output_padding=1).output_shape((1, 4, 4))
    with refusal(ShapeError, "conv_transpose2d: expected an output of at least 1x1 after padding (3, 3, 3, 3)"):
        ConvTranspose2d(1, 1, 3, padding=3).output_shape((1, 4, 4))


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_refuses_missing_and_misshapen_parameters_by_name(name):
    layer = ConvTranspose2d(1, 4, 3)
    params = draw(layer)
    (x,) = images((1, 8, 8))
    with refusal(
        OptionError, f"parameters: expected an entry {name!r}, received none; create them with model.init"
    ):
        layer({n: a for n, a in params.items() if n != name}, x)
    with refusal(ShapeError, f"parameters: expected {name} of shape {params[name].shape}, received (7,); create"):
        layer(params | {name: np.ones(7)}, x)
