import pytest

from tests.layers.shared import assert_gradients, assert_is, images
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError
from whygrad.layers import Pad2d

CASES = [(1, {}), ((2, 1), {"mode": "reflect"}), ((1, 0, 2, 3), {"mode": "replicate"}), (1, {"value": 2.5})]


@pytest.mark.parametrize(("padding", "options"), CASES)
def test_gives_what_its_operation_gives(padding, options):
    assert_is(Pad2d(padding, **options), lambda x: ops.pad2d(x, padding=padding, **options), (3, 4, 5))


@pytest.mark.parametrize(("padding", "options"), CASES)
def test_gradients_are_those_of_finite_differences(padding, options):
    assert_gradients(Pad2d(padding, **options), (2, 3, 4))


def test_has_no_parameters_and_shows_what_differs_from_the_defaults():
    assert Pad2d(1).parameters() == {}
    assert repr(Pad2d((1, 2), mode="reflect")) == "Pad2d((1, 2), mode='reflect')"


@pytest.mark.parametrize(
    ("padding", "text"),
    [
        (-1, "padding to be a whole number of at least 0, received -1; change padding"),
        ((1, 2, 3), "padding as a whole number, (vertical, horizontal) or (top, bottom, left, right), received"),
        (
            "same",
            "padding as a whole number, (vertical, horizontal) or (top, bottom, left, right), received 'same'",
        ),
    ],
)
def test_refuses_a_padding_that_is_none(padding, text):
    with refusal(OptionError, f"Pad2d: expected {text}"):
        Pad2d(padding)


def test_refuses_an_unknown_mode():
    with refusal(OptionError, "received 'wrap'"):
        Pad2d(1, mode="wrap")({}, *images((1, 4, 4)))
