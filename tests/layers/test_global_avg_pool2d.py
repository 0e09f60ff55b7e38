from tests.layers.shared import assert_gradients, assert_is, images
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import ShapeError
from whygrad.layers import GlobalAvgPool2d


def test_gives_what_its_operation_gives():
    assert_is(GlobalAvgPool2d(), ops.global_avg_pool2d, (3, 4, 5))


def test_gradients_are_those_of_finite_differences():
    assert_gradients(GlobalAvgPool2d(), (3, 2, 4))


def test_has_no_parameters_and_nothing_to_show():
    assert GlobalAvgPool2d().parameters() == {}
    assert repr(GlobalAvgPool2d()) == "GlobalAvgPool2d()"


def test_refuses_what_is_no_batch_of_images():
    with refusal(ShapeError, "global_avg_pool2d: expected x of shape (N, C, H, W), received (2, 4, 4)"):
        GlobalAvgPool2d()({}, *images((4, 4)))
