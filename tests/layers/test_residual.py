import pickle

import numpy as np
import pytest

from tests.layers.shared import assert_gradients, draw, images, shapes_of
from tests.ops.shared import refusal
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import BatchNorm2d, Conv2d, Linear, ReLU, Residual, Sequential, Tanh, count


def body(channels=2, filters=2, stride=1):
    return Sequential(
        conv1=Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False),
        bn1=BatchNorm2d(filters),
        act=Tanh(),
        conv2=Conv2d(filters, filters, 3, padding=1),
    )


def shortcut(channels=2, filters=3, stride=2):
    return Sequential(Conv2d(channels, filters, 1, stride=stride, bias=False), BatchNorm2d(filters))


BLOCKS = [
    pytest.param(Residual(body()), (2, 3, 3), id="identity"),
    pytest.param(Residual(body(), activation=Tanh()), (2, 3, 3), id="identity and activation"),
    pytest.param(Residual(body(2, 3, 2), shortcut()), (2, 4, 4), id="shortcut"),
    pytest.param(Residual(body(2, 3, 2), shortcut(), Tanh()), (2, 4, 4), id="shortcut and activation"),
    pytest.param(Residual(Linear(3, 3), Linear(3, 3), Linear(3, 2)), (3,), id="layers with parameters"),
]
every_block = pytest.mark.parametrize(("block", "shape"), BLOCKS)


@pytest.mark.parametrize("training", [True, False])
@every_block
def test_gradients_are_those_of_finite_differences(block, shape, training):
    assert_gradients(block, shape, training=training)


@every_block
def test_announces_the_shape_of_its_output(block, shape):
    y, _, _ = block(draw(block), *images(shape))
    assert y.shape[1:] == block.output_shape(shape)


def test_is_the_activation_of_the_sum_of_body_and_shortcut():
    block = Residual(Linear(3, 3, bias=False), Linear(3, 3, bias=False), ReLU())
    params, (x,) = draw(block), images((3,))
    y, _, _ = block(params, x)
    total = x @ params["weight"].T + x @ params["downsample.weight"].T
    np.testing.assert_allclose(y, np.maximum(total, 0), rtol=1e-14)
    plain, pullback, _ = Residual(Tanh())({}, x)
    np.testing.assert_allclose(plain, np.tanh(x) + x, rtol=1e-14)
    np.testing.assert_allclose(pullback(np.ones_like(x))[0], (1 - np.tanh(x) ** 2) + 1, rtol=1e-14)


def test_names_are_those_of_torchvision():
    model = Sequential(layer1=Sequential(Residual(body(2, 3, 2), shortcut(), ReLU())))
    assert list(shapes_of(model)) == [
        "layer1.0.conv1.weight",
        "layer1.0.bn1.weight",
        "layer1.0.bn1.bias",
        "layer1.0.bn1.running_mean",
        "layer1.0.bn1.running_var",
        "layer1.0.conv2.weight",
        "layer1.0.conv2.bias",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.weight",
        "layer1.0.downsample.1.bias",
        "layer1.0.downsample.1.running_mean",
        "layer1.0.downsample.1.running_var",
    ]


def test_running_statistics_of_both_ways_are_returned():
    block = Residual(body(2, 3, 2), shortcut())
    _, _, changed = block(draw(block), *images((2, 4, 4)), training=True)
    assert set(changed) == {
        "bn1.running_mean",
        "bn1.running_var",
        "downsample.1.running_mean",
        "downsample.1.running_var",
    }
    assert block(draw(block), *images((2, 4, 4)))[2] == {}


def test_fills_a_row_for_each_layer_and_for_the_sum():
    block = Residual(body(2, 3, 2), shortcut(), ReLU())
    rows = block.rows("block", (2, 4, 4))
    assert [(row.name, row.output_shape) for row in rows] == [
        ("block.conv1", (3, 2, 2)),
        ("block.bn1", (3, 2, 2)),
        ("block.act", (3, 2, 2)),
        ("block.conv2", (3, 2, 2)),
        ("block.downsample.0", (3, 2, 2)),
        ("block.downsample.1", (3, 2, 2)),
        ("block.add", (3, 2, 2)),
        ("block.activation", (3, 2, 2)),
    ]
    assert sum(row.parameters for row in rows) == count(block)
    assert {row.output_shape for row in block.rows("block", None)} == {None}


def test_shows_its_layers():
    assert repr(Residual(Linear(3, 3), activation=ReLU())) == "Residual(Linear(3, 3), ReLU())"


def test_refuses_branches_that_end_in_unlike_shapes():
    text = "Residual: expected a shortcut that ends in (3, 2, 2) as the body does, received (2, 4, 4); give it a"
    with refusal(ShapeError, text):
        Residual(body(2, 3, 2)).output_shape((2, 4, 4))
    block = Sequential(block=Residual(body(2, 3, 2)))
    with refusal(ShapeError, "block (add): expected b of shape (2, 3, 2, 2), received (2, 2, 4, 4); make both"):
        block(draw(block), *images((2, 4, 4)))


@pytest.mark.parametrize("name", ["downsample", "activation"])
def test_refuses_a_body_whose_names_are_taken(name):
    text = f"Residual: expected a body without layers named downsample or activation, received {name}.weight"
    with refusal(OptionError, text):
        Residual(Sequential(**{name: Linear(3, 3)}))


def test_refuses_what_is_no_layer_and_more_than_one_input():
    with refusal(OptionError, "Residual: expected activation to be a layer, received <class"):
        Residual(Linear(3, 3), activation=ReLU)
    with refusal(ShapeError, "body (Tanh): expected one input, received 2"):
        Residual(Tanh())({}, *images((3,), (3,)))


def test_errors_name_the_branch():
    block = Residual(body(2, 3, 2), shortcut(1, 3, 2))
    with refusal(ShapeError, "downsample.0 (conv2d): expected x with 1 channels"):
        block(draw(block), *images((2, 4, 4)))
    with refusal(OptionError, "downsample (parameters): expected an entry 'downsample.0.weight', received none"):
        params = draw(block)
        del params["downsample.0.weight"]
        block(params, *images((2, 4, 4)))


def test_a_released_pullback_cannot_be_called_again():
    block = Residual(body(), activation=Tanh())
    y, pullback, _ = block(draw(block), *images((2, 3, 3)))
    kept = pullback(y)
    np.testing.assert_equal(pullback(y, release=True), kept)
    with refusal(
        OptionError, "pullback: expected what the forward pass saved, received a pullback that was released"
    ):
        pullback(y)


def test_pullback_survives_pickling():
    block = Residual(body())
    y, pullback, _ = block(draw(block), *images((2, 3, 3)))
    np.testing.assert_equal(pickle.loads(pickle.dumps(pullback))(y), pullback(y))
