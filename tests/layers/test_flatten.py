import pytest

from tests.layers.shared import assert_gradients, assert_is, images
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import ShapeError
from whygrad.layers import Flatten


@pytest.mark.parametrize("shape", [(3, 4, 5), (6,), (1, 1, 1)])
def test_gives_what_its_operation_gives(shape):
    assert_is(Flatten(), ops.flatten, shape)


def test_gradients_are_those_of_finite_differences():
    assert_gradients(Flatten(), (3, 2, 4))


def test_has_no_parameters_and_nothing_to_show():
    assert Flatten().parameters() == {}
    assert repr(Flatten()) == "Flatten()"


def test_refuses_two_inputs():
    with refusal(ShapeError, "Flatten: expected one input, received 2; join them with Add or Concat"):
        Flatten()({}, *images((3,), (3,)))
