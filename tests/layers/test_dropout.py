import numpy as np
import pytest

from tests.layers.shared import assert_gradients, images
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import OptionError
from whygrad.layers import Dropout, Sequential


def test_gives_what_its_operation_gives_from_the_same_generator():
    (x,) = images((3, 4, 5))
    y, pullback, changed = Dropout(0.3)({}, x, training=True, rng=np.random.default_rng(5))
    wanted, op_pullback = ops.dropout(x, p=0.3, training=True, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(y, wanted)
    dx, gradients = pullback(x)
    np.testing.assert_array_equal(dx, op_pullback(x))
    assert gradients == changed == {}
    assert y.shape[1:] == Dropout(0.3).output_shape((3, 4, 5))


def test_changes_nothing_in_evaluation():
    (x,) = images((3, 4))
    y, pullback, _ = Dropout(0.9)({}, x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(pullback(x)[0], x)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_finite_differences(training):
    assert_gradients(Dropout(0.4), (3, 4), training=training)


def test_layers_of_one_network_draw_masks_of_their_own():
    model = Sequential(Dropout(0.5), Dropout(0.5))
    y, _, _ = model({}, np.ones((1, 10_000)), training=True, rng=np.random.default_rng(0))
    assert set(np.unique(y)) == {0, 4}
    assert 0.2 < (y > 0).mean() < 0.3


def test_has_no_parameters_and_shows_what_differs_from_the_default():
    assert Dropout().parameters() == {}
    assert repr(Dropout()) == "Dropout()"
    assert repr(Dropout(0.3)) == "Dropout(p=0.3)"


@pytest.mark.parametrize("p", [-0.1, 1, np.nan, True, "half"])
def test_refuses_what_is_no_probability_below_1(p):
    with refusal(OptionError, f"Dropout: expected p in [0, 1), received {p!r}; change p"):
        Dropout(p)


def test_refuses_training_without_a_generator_and_names_the_layer():
    with refusal(
        OptionError, "drop (dropout): expected rng as a numpy.random.Generator in training, received None"
    ):
        Sequential(drop=Dropout())({}, np.ones((1, 3)), training=True)
