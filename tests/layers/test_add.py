import pytest

from tests.layers.shared import assert_gradients, assert_is, images
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import ShapeError
from whygrad.layers import Add


def test_gives_what_its_operation_gives():
    assert_is(Add(), ops.add, (3, 4, 5), (3, 4, 5))


def test_gradients_are_those_of_finite_differences():
    assert_gradients(Add(), (3, 2), (3, 2))


def test_has_no_parameters_and_nothing_to_show():
    assert Add().parameters() == {}
    assert repr(Add()) == "Add()"


@pytest.mark.parametrize("shapes", [[(3, 4)], [(3, 4), (4, 3)], [(3,), (3,), (3,)]])
def test_refuses_shapes_that_are_not_two_alike(shapes):
    received = ", ".join(map(str, shapes))
    with refusal(ShapeError, f"add: expected two inputs of one shape, received {received}; make both branches end"):
        Add().output_shape(*shapes)


@pytest.mark.parametrize("count", [1, 3])
def test_refuses_another_number_of_inputs(count):
    with refusal(ShapeError, f"add: expected two inputs, received {count}; name both inputs of the node"):
        Add()({}, *images(*[(3,)] * count))
