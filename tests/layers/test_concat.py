import pytest

from tests.layers.shared import assert_gradients, assert_is
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError, ShapeError
from whygrad.layers import Concat

CASES = [
    (Concat(), [(3, 4, 5), (2, 4, 5)]),
    (Concat(3), [(3, 4, 5), (3, 4, 1), (3, 4, 2)]),
    (Concat(-2), [(3, 4, 5), (3, 1, 5)]),
    (Concat(), [(3,)]),
]


@pytest.mark.parametrize(("layer", "shapes"), CASES)
def test_gives_what_its_operation_gives(layer, shapes):
    assert_is(layer, lambda *inputs: ops.concat(*inputs, axis=layer.axis), *shapes)


def test_gradients_are_those_of_finite_differences():
    assert_gradients(Concat(), (3, 2), (1, 2), (2, 2))


def test_has_no_parameters_and_shows_its_axis():
    assert Concat().parameters() == {}
    assert repr(Concat()) == "Concat()"
    assert repr(Concat(2)) == "Concat(axis=2)"


@pytest.mark.parametrize("axis", [0, True, 1.0, "channels"])
def test_refuses_the_batch_axis_and_what_is_none(axis):
    with refusal(
        OptionError, f"Concat: expected an axis other than the batch axis, received {axis!r}; change axis"
    ):
        Concat(axis)


@pytest.mark.parametrize(
    ("layer", "shapes"), [(Concat(), [(3, 4), (3, 5)]), (Concat(4), [(3, 4), (3, 4)]), (Concat(-3), [(3, 4)])]
)
def test_refuses_shapes_that_do_not_meet(layer, shapes):
    with refusal(ShapeError, f"concat: expected inputs of one shape but for axis {layer.axis}, received (3, 4)"):
        layer.output_shape(*shapes)
