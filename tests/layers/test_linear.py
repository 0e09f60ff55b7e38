import numpy as np
import pytest

from tests.layers.shared import assert_gradients, assert_is, draw, images, shapes_of
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.layers import Linear


@pytest.mark.parametrize("bias", [True, False])
def test_gives_what_its_operation_gives(bias):
    assert_is(Linear(5, 3, bias=bias), ops.linear, (5,))


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_finite_differences(bias):
    assert_gradients(Linear(4, 3, bias=bias), (4,))


def test_names_its_parameters():
    assert shapes_of(Linear(5, 3)) == {"weight": (3, 5), "bias": (3,)}
    assert shapes_of(Linear(5, 3, bias=False)) == {"weight": (3, 5)}


def test_shows_what_differs_from_the_defaults():
    assert repr(Linear(5, 3)) == "Linear(5, 3)"
    assert repr(Linear(5, 3, bias=False)) == "Linear(5, 3, bias=False)"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 3), "in_features to be a whole number of at least 1, received 0; change in_features"),
        ((5, "3"), "out_features to be a whole number of at least 1, received '3'; change out_features"),
    ],
)
def test_refuses_hyper_parameters_outside_their_domain(arguments, text):
    with refusal(OptionError, f"Linear: expected {text}"):
        Linear(*arguments)


@pytest.mark.parametrize("shape", [(4,), (1, 5), (5, 1, 1)])
def test_refuses_samples_of_another_shape(shape):
    with refusal(ShapeError, f"linear: expected samples of 5 features, received {shape}; flatten images first"):
        Linear(5, 3).output_shape(shape)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_refuses_missing_and_misshapen_parameters_by_name(name):
    layer = Linear(5, 3)
    params = draw(layer)
    (x,) = images((5,))
    with refusal(
        OptionError, f"parameters: expected an entry {name!r}, received none; create them with model.init"
    ):
        layer({n: a for n, a in params.items() if n != name}, x)
    with refusal(ShapeError, f"parameters: expected {name} of shape {params[name].shape}, received (7,); create"):
        layer(params | {name: np.ones(7)}, x)


def test_refuses_parameters_of_another_dtype_than_the_input():
    layer = Linear(5, 3)
    with refusal(DTypeError, "linear: expected all arrays of one dtype (x is float64), received w of float32"):
        layer(draw(layer, dtype=np.float32), *images((5,)))
