import pytest

from tests.layers.shared import assert_gradients, assert_is
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError
from whygrad.layers import UpsampleNearest2d


@pytest.mark.parametrize("factor", [1, 2, (3, 1)])
def test_gives_what_its_operation_gives(factor):
    assert_is(UpsampleNearest2d(factor), lambda x: ops.upsample_nearest2d(x, scale_factor=factor), (3, 4, 5))


def test_gradients_are_those_of_finite_differences():
    assert_gradients(UpsampleNearest2d((2, 3)), (2, 3, 2))


def test_has_no_parameters_and_shows_what_differs_from_the_defaults():
    assert UpsampleNearest2d().parameters() == {}
    assert repr(UpsampleNearest2d()) == "UpsampleNearest2d()"
    assert repr(UpsampleNearest2d((3, 1))) == "UpsampleNearest2d(scale_factor=(3, 1))"


@pytest.mark.parametrize("factor", [0, 1.5, (2, 2, 2)])
def test_refuses_a_factor_that_is_no_size(factor):
    with refusal(OptionError, "UpsampleNearest2d: expected scale_factor"):
        UpsampleNearest2d(factor)
