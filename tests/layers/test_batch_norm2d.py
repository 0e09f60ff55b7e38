import numpy as np
import pytest

from tests.layers.shared import assert_gradients, draw, images, shapes_of, trained
from tests.ops.shared import refusal
from whygrad import ops
from whygrad.errors import DataError, OptionError, ShapeError
from whygrad.layers import BatchNorm2d, Sequential

NAMES = ["weight", "bias", "running_mean", "running_var"]


@pytest.mark.parametrize("training", [True, False])
def test_gives_what_its_operation_gives(training):
    layer = BatchNorm2d(3, eps=0.01, momentum=0.3)
    params, (x,) = draw(layer), images((3, 4, 5))
    y, pullback, changed = layer(params, x, training=training)
    wanted, op_pullback = ops.batch_norm2d(x, *params.values(), training=training, momentum=0.3, eps=0.01)
    np.testing.assert_array_equal(y, wanted.y)
    assert y.shape[1:] == layer.output_shape((3, 4, 5))
    statistics = {"running_mean": wanted.running_mean, "running_var": wanted.running_var}
    np.testing.assert_equal(changed, statistics if training else {})
    dx, gradients = pullback(y)
    np.testing.assert_equal((dx, *gradients.values()), op_pullback(y))
    assert list(gradients) == ["weight", "bias"]


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_finite_differences(training):
    assert_gradients(BatchNorm2d(2), (2, 3, 2), training=training)


def test_running_statistics_are_returned_and_not_written_to():
    layer = BatchNorm2d(2)
    params, (x,) = draw(layer), images((2, 3, 3))  # read-only arrays: a write would raise
    before = {name: array.copy() for name, array in params.items()}
    _, _, changed = layer(params, x, training=True)
    np.testing.assert_equal(params, before)
    expected = 0.9 * params["running_mean"] + 0.1 * x.mean(axis=(0, 2, 3))
    np.testing.assert_allclose(changed["running_mean"], expected, rtol=1e-14)
    expected = 0.9 * params["running_var"] + 0.1 * x.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(changed["running_var"], expected, rtol=1e-14)


def test_running_statistics_have_the_name_of_the_layer_in_a_network():
    model = Sequential(stem=Sequential(bn=BatchNorm2d(2)))
    _, _, changed = model(draw(model), *images((2, 3, 3)), training=True)
    assert set(changed) == {"stem.bn.running_mean", "stem.bn.running_var"}


def test_names_its_parameters_and_trains_two_of_them():
    layer = BatchNorm2d(3)
    assert shapes_of(layer) == dict.fromkeys(NAMES, (3,))
    assert trained(layer) == {"weight", "bias"}
    params = layer.init(np.random.default_rng(0))
    np.testing.assert_equal(list(params.values()), [np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)])


def test_shows_what_differs_from_the_defaults():
    assert repr(BatchNorm2d(3)) == "BatchNorm2d(3)"
    assert repr(BatchNorm2d(3, momentum=0.2)) == "BatchNorm2d(3, momentum=0.2)"


def test_refuses_no_channels_and_options_outside_their_domain():
    with refusal(OptionError, "BatchNorm2d: expected channels to be a whole number of at least 1, received 0"):
        BatchNorm2d(0)
    for options, text in (({"momentum": 2}, "momentum in [0, 1], received 2"), ({"eps": -1}, "eps in [0, 1e+30]")):
        with refusal(OptionError, f"BatchNorm2d: expected {text}"):
            BatchNorm2d(1, **options)


def test_refuses_to_train_on_a_single_entry():
    layer = BatchNorm2d(1)
    with refusal(DataError, "batch_norm2d: expected at least 2 entries a channel in training, received 1; use a"):
        layer(draw(layer), np.ones((1, 1, 1, 1)), training=True)


@pytest.mark.parametrize("name", NAMES)
def test_refuses_missing_and_misshapen_parameters_by_name(name):
    layer = BatchNorm2d(3)
    params, (x,) = draw(layer), images((3, 4, 4))
    with refusal(
        OptionError, f"parameters: expected an entry {name!r}, received none; create them with model.init"
    ):
        layer({n: a for n, a in params.items() if n != name}, x)
    with refusal(ShapeError, f"parameters: expected {name} of shape (3,), received (7,); create"):
        layer(params | {name: np.ones(7)}, x)
