import numpy as np
from hypothesis import given

from tests.ops.peers import assert_agrees, functional, needs_torch
from tests.ops.shared import assert_elementwise_refusals, assert_pickles, image, refusal, shapes, sources
from whygrad.errors import ShapeError
from whygrad.ops import global_avg_pool2d


@needs_torch
@given(sources(), shapes(min_dims=4, max_side=5))
def test_value_and_gradient_are_those_of_pytorch(source, shape):
    x = source.normal(*shape)
    assert_agrees(global_avg_pool2d, lambda x: functional().adaptive_avg_pool2d(x, 1), source, x)


def test_takes_the_mean_of_each_channel_and_gives_every_pixel_its_share():
    x = np.array([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, -4.0]]]])
    y, pullback = global_avg_pool2d(x)
    np.testing.assert_array_equal(y, [[[[3]], [[-1]]]])
    dx = pullback(np.array([[[[4.0]], [[8.0]]]]))
    np.testing.assert_array_equal(dx, [[[[1, 1], [1, 1]], [[2, 2], [2, 2]]]])


def test_refuses_images_of_another_rank_or_without_pixels():
    with refusal(ShapeError, "global_avg_pool2d: expected x of shape (N, C, H, W), received (2, 3)"):
        global_avg_pool2d(np.ones((2, 3)))
    with refusal(
        ShapeError, "global_avg_pool2d: expected images of at least 1x1, received (1, 2, 0, 3); check the"
    ):
        global_avg_pool2d(np.ones((1, 2, 0, 3)))


def test_refuses_what_cannot_carry_a_gradient():
    assert_elementwise_refusals("global_avg_pool2d", lambda x: global_avg_pool2d(x[None, None]))


def test_pullback_survives_pickling():
    y, pullback = global_avg_pool2d(image([[1, 2], [3, 4]]))
    assert_pickles(pullback, y)
