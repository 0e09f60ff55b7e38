import pytest

from tests.layers.shared import assert_gradients, assert_is
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import AvgPool2d

OPTIONS = [
    {},
    {"stride": (1, 2)},
    {"padding": (1, 0, 0, 1)},
    {"stride": 2, "ceil_mode": True},
    {"padding": 1, "count_include_pad": False},
]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


@every_option
def test_gives_what_its_operation_gives(options):
    layer = AvgPool2d((3, 2), **options)
    assert_is(layer, lambda x: ops.avg_pool2d(x, kernel_size=(3, 2), **options), (2, 6, 7))


@every_option
def test_gradients_are_those_of_finite_differences(options):
    assert_gradients(AvgPool2d((3, 2), **options), (2, 5, 5))


def test_has_no_parameters_and_shows_what_differs_from_the_defaults():
    assert AvgPool2d(2).parameters() == {}
    assert repr(AvgPool2d(2)) == "AvgPool2d(2)"
    assert repr(AvgPool2d((2, 3), stride=1, ceil_mode=True)) == "AvgPool2d((2, 3), stride=1, ceil_mode=True)"


@pytest.mark.parametrize("size", [0, -1, 2.0, "2"])
def test_refuses_a_kernel_that_is_no_size(size):
    with refusal(OptionError, "AvgPool2d: expected kernel_size"):
        AvgPool2d(size)


def test_refuses_a_stride_of_nothing_and_an_image_smaller_than_the_window():
    with refusal(OptionError, "AvgPool2d: expected stride to be a whole number of at least 1, received 0"):
        AvgPool2d(2, stride=0)
    with refusal(ShapeError, "avg_pool2d: expected a window no larger than the padded image of 1x4"):
        AvgPool2d(2).output_shape((1, 1, 4))
