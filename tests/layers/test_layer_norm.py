import numpy as np
import pytest

from tests.layers.shared import assert_gradients, assert_is, draw, images, shapes_of
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import LayerNorm


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize(("size", "shape"), [((3, 4, 5), (3, 4, 5)), (5, (3, 4, 5)), (6, (6,))])
def test_gives_what_its_operation_gives(size, shape, eps):
    assert_is(LayerNorm(size, eps=eps), lambda *arrays: ops.layer_norm(*arrays, eps=eps), shape)


@pytest.mark.parametrize("size", [(2, 3, 4), 4])
def test_gradients_are_those_of_finite_differences(size):
    assert_gradients(LayerNorm(size), (2, 3, 4))


def test_names_its_parameters_and_starts_them_at_1_and_0():
    layer = LayerNorm((2, 3))
    assert shapes_of(layer) == {"weight": (2, 3), "bias": (2, 3)}
    params = layer.init(np.random.default_rng(0))
    np.testing.assert_array_equal(params["weight"], np.ones((2, 3)))
    np.testing.assert_array_equal(params["bias"], np.zeros((2, 3)))


def test_shows_what_differs_from_the_default():
    assert repr(LayerNorm((2, 3))) == "LayerNorm((2, 3))"
    assert repr(LayerNorm(4, eps=0.1)) == "LayerNorm(4, eps=0.1)"


@pytest.mark.parametrize("size", [0, (3, -1), 2.0])
def test_refuses_sizes_that_are_none(size):
    with refusal(OptionError, "LayerNorm: expected shape to be a whole number of at least 1, received"):
        LayerNorm(size)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_refuses_missing_and_misshapen_parameters_by_name(name):
    layer = LayerNorm(5)
    params = draw(layer)
    (x,) = images((5,))
    with refusal(
        OptionError, f"parameters: expected an entry {name!r}, received none; create them with model.init"
    ):
        layer({n: a for n, a in params.items() if n != name}, x)
    with refusal(ShapeError, f"parameters: expected {name} of shape (5,), received (7,); create"):
        layer(params | {name: np.ones(7)}, x)
