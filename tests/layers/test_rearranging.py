"""Layers that scale, gate, cut off and rearrange what they are given."""

from functools import partial

import numpy as np
import pytest

from tests.layers.shared import assert_gradients, assert_is, draw, images, shapes_of
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import LRN, Clip, Mul, Reshape, Scale, Take2d, Transpose

ROWS = {"vertical": (2, 0), "horizontal": (0, 0, 3)}
CASES = [
    (Scale((3, 1, 1)), ops.scale, [(3, 4, 5)], "Scale((3, 1, 1))"),
    (Scale((4,), bias=False), ops.scale, [(4,)], "Scale((4,), bias=False)"),
    (Scale((1, 4, 1), bias=(3, 1, 1)), ops.scale, [(3, 4, 5)], "Scale((1, 4, 1), bias=(3, 1, 1))"),
    (Clip(0, 6), partial(ops.clip, low=0, high=6), [(3, 4, 5)], "Clip(low=0, high=6)"),
    (Clip(high=0.5), partial(ops.clip, high=0.5), [(3,)], "Clip(high=0.5)"),
    (LRN(3, alpha=1.0), partial(ops.lrn, size=3, alpha=1.0), [(5, 2, 3)], "LRN(size=3, alpha=1.0)"),
    (Mul(), ops.mul, [(3, 4, 5), (3, 1, 1)], "Mul()"),
    (Mul(), ops.mul, [(4,), (4,)], "Mul()"),
    (Reshape((2, 10)), partial(ops.reshape, shape=(2, 10)), [(4, 5)], "Reshape((2, 10))"),
    (Transpose((0, 3, 1, 2)), partial(ops.transpose, axes=(0, 3, 1, 2)), [(3, 4, 5)], "Transpose((0, 3, 1, 2))"),
    (Take2d(**ROWS), partial(ops.take2d, **ROWS), [(2, 3, 4)], "Take2d((2, 0), (0, 0, 3))"),
]
every_layer = pytest.mark.parametrize(("layer", "op", "shapes", "text"), CASES, ids=[case[3] for case in CASES])


@every_layer
def test_gives_what_its_operation_gives(layer, op, shapes, text):
    assert_is(layer, op, *shapes)


@every_layer
def test_gradients_are_those_of_finite_differences(layer, op, shapes, text):
    assert_gradients(layer, *shapes)


@every_layer
def test_shows_its_options(layer, op, shapes, text):
    assert repr(layer) == text


def test_affine_has_weights_and_biases_of_the_shapes_asked_for():
    assert shapes_of(Scale((3, 1, 1))) == {"weight": (3, 1, 1), "bias": (3, 1, 1)}
    assert shapes_of(Scale((3,), bias=False)) == {"weight": (3,)}
    assert shapes_of(Scale((1,), bias=(3,))) == {"weight": (1,), "bias": (3,)}
    fresh = Scale((2,)).init(np.random.default_rng(0))
    assert {name: array.tolist() for name, array in fresh.items()} == {"weight": [1, 1], "bias": [0, 0]}


def test_constants_of_a_network_get_no_gradients():
    layer = Scale((3,), trained=())
    assert not any(parameter.trained for parameter in layer.parameters().values())
    (x,) = images((3,))
    y, pullback, _ = layer(draw(layer), x)
    dx, gradients = pullback(np.ones_like(y))
    assert gradients == {}
    np.testing.assert_array_equal(dx, np.broadcast_to(draw(layer)["weight"], x.shape))


def test_one_of_weight_and_bias_may_be_a_constant():
    layer = Scale((1,), bias=(3,), trained=("bias",))
    assert [parameter.trained for parameter in layer.parameters().values()] == [False, True]
    assert_gradients(layer, (3,))


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (Scale((3, 1, 1)), [(4, 5, 5)], "scale: expected w of shape (4, 5, 5), or 1 in any place of it"),
        (Scale((4,), bias=(3,)), [(4,)], "scale: expected b of shape (4,), or 1 in any place of it"),
        (LRN(), [(4,)], "lrn: expected images of shape (C, H, W), received (4,)"),
        (Mul(), [(4,)], "mul: expected two inputs, the second of the first's shape or with 1 in places"),
        (Mul(), [(3, 1), (3, 4)], "received (3, 1), (3, 4); make both branches end in one shape"),
        (
            Reshape((4,)),
            [(5,)],
            "reshape: expected a shape of 5 entries, as samples of (5,) have, received (4,) of 4",
        ),
        (Transpose((0, 2, 1)), [(4,)], "transpose: expected samples of 2 axes, received (4,)"),
    ],
)
def test_refuses_shapes_that_do_not_fit(layer, shapes, text):
    with refusal(ShapeError, text):
        layer.output_shape(*shapes)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Scale(3), "Scale: expected shape as a tuple of whole numbers, received 3; change shape"),
        (
            lambda: Scale((3,), trained=("x",)),
            'Scale: expected trained as a tuple of "weight" and "bias", received',
        ),
        (lambda: Clip("a"), "Clip: expected low in [-inf, inf], received 'a'; change low"),
        (lambda: LRN(0), "LRN: expected size to be a whole number of at least 1, received 0"),
        (lambda: LRN(k=0), "LRN: expected k above 0, received 0"),
        (lambda: Reshape("a"), "Reshape: expected shape as a tuple of whole numbers, received 'a'"),
        (
            lambda: Transpose((1, 0)),
            "Transpose: expected axes as 0 and then every other axis once, received (1, 0)",
        ),
        (lambda: Take2d(3, (0,)), "Take2d: expected vertical as a tuple of whole numbers, received 3"),
        (lambda: Take2d((0, 5), (0,)).output_shape((1, 3, 3)), "vertical as a tuple of whole numbers from 0 to 2"),
    ],
)
def test_refuses_options_outside_their_domain(make, text):
    with refusal(OptionError, text):
        make()


def test_a_product_needs_two_inputs():
    with refusal(ShapeError, "mul: expected two inputs, received 1; name both inputs of the node"):
        Mul()({}, np.ones((2, 3)))
