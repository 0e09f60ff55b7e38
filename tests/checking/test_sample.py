import numpy as np
import pytest

from tests.layers.shared import images, trained
from tests.ops.shared import refusal
from whygrad.checking import TOLERANCE, compare_sample
from whygrad.errors import DataError, NonFiniteError
from whygrad.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Layer, Linear, ReLU, Residual, Sequential, Tanh
from whygrad.losses import half_squared_error


class Wrong(Layer):
    """A dense layer whose pullback is put through ``mutate``."""

    def __init__(self, mutate):
        self.layer, self.mutate = Linear(4, 4), mutate

    def parameters(self):
        return self.layer.parameters()

    def output_shape(self, *shapes):
        return self.layer.output_shape(*shapes)

    def __call__(self, params, *inputs, training=False, rng=None):
        y, pullback, changed = self.layer(params, *inputs, training=training, rng=rng)
        return y, lambda dy, release=False: self.mutate(*pullback(dy)), changed


def model(middle):
    return Sequential(fc1=Linear(3, 4), act1=Tanh(), middle=middle, act2=Tanh(), fc2=Linear(4, 3))


def rows_of(layer, shape=(3,), **options):
    params = layer.init(np.random.default_rng(0))
    (x,) = images(shape, batch=4, dtype=np.float32)
    return compare_sample(layer, params, x, np.array([0, 2, 1, 1]), seed=0, **options)


def blamed(rows):
    return {row.name for row in rows if not row.relative_error <= TOLERANCE}


HEALTHY = {
    "dense": (Sequential(Linear(3, 4), Tanh(), Linear(4, 3)), (3,)),
    "kinks": (Sequential(Linear(3, 50), ReLU(), Linear(50, 3)), (3,)),
    "dropout": (Sequential(Linear(3, 20), Dropout(0.5), Tanh(), Dropout(0.2), Linear(20, 3)), (3,)),
    "batch normalisation": (
        Sequential(Conv2d(1, 2, 3, bias=False), BatchNorm2d(2), Tanh(), Flatten(), Linear(8, 3)),
        (1, 4, 4),
    ),
    "residual": (Sequential(Residual(Linear(3, 3), activation=Tanh()), Linear(3, 3)), (3,)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_layers_pass_and_every_trained_parameter_has_a_row(name):
    layer, shape = HEALTHY[name]
    rows = rows_of(layer, shape)
    assert {row.name for row in rows} == trained(layer)
    assert blamed(rows) == set()
    assert all(row.checked == min(4, row.entries) for row in rows)


@pytest.mark.parametrize(
    ("mutate", "wrong"),
    [
        pytest.param(lambda dx, own: (dx * 0, own), {"fc1.weight", "fc1.bias"}, id="zero dx"),
        pytest.param(lambda dx, own: (-dx, own), {"fc1.weight", "fc1.bias"}, id="sign of dx"),
        pytest.param(
            lambda dx, own: (dx, own | {"weight": own["weight"] / 4}), {"middle.weight"}, id="mean for sum of dw"
        ),
        pytest.param(
            lambda dx, own: (dx, own | {"weight": own["weight"].T.copy()}), {"middle.weight"}, id="transposed dw"
        ),
        pytest.param(
            lambda dx, own: (dx, own | {"bias": np.full_like(own["bias"], np.nan)}), {"middle.bias"}, id="nan in db"
        ),
        pytest.param(lambda dx, own: (dx * (1 + 1e-4), own), {"fc1.weight", "fc1.bias"}, id="slightly off"),
        pytest.param(lambda dx, own: (dx, own), set(), id="nothing"),
    ],
)
def test_a_planted_wrong_layer_is_found_by_what_lies_before_it(mutate, wrong):
    assert blamed(rows_of(model(Wrong(mutate)), entries=16)) == wrong


def test_a_trained_parameter_without_a_gradient_is_not_passed_over():
    forgetful = model(Wrong(lambda dx, own: (dx, {"weight": own["weight"]})))
    try:
        verdict = blamed(rows_of(forgetful))
    except DataError as error:  # refusing is as good as blaming
        verdict = str(error)
    assert "middle.bias" in verdict


def test_float32_parameters_and_images_are_compared_in_float64_and_not_written_to():
    layer, shape = HEALTHY["dropout"]
    params = layer.init(np.random.default_rng(0))
    for array in params.values():
        array.flags.writeable = False
    (x,) = images(shape, batch=4, dtype=np.float32)
    rows = compare_sample(layer, params, x, np.array([0, 2, 1, 1]), seed=3)
    assert blamed(rows) == set()
    assert all(array.dtype == np.float32 for array in params.values())


def test_the_seed_alone_chooses_the_entries():
    layer, shape = HEALTHY["kinks"]
    assert rows_of(layer, shape) == rows_of(layer, shape)
    assert [row.checked for row in rows_of(layer, shape, entries=2)] == [2, 2, 2, 2]


def test_another_loss_can_be_asked_for():
    layer, shape = HEALTHY["dense"]
    params = layer.init(np.random.default_rng(0))
    (x,) = images(shape, batch=4)
    rows = compare_sample(layer, params, x, np.eye(4, 3), seed=0, loss=half_squared_error)
    assert blamed(rows) == set()

    def wrong(y, target):
        value, gradient = half_squared_error(y, target)
        return value, -gradient

    assert blamed(compare_sample(layer, params, x, np.eye(4, 3), seed=0, loss=wrong)) == trained(layer)


def test_parameters_that_are_not_finite_are_refused():
    layer, shape = HEALTHY["dense"]
    params = layer.init(np.random.default_rng(0))
    params["0.weight"][0, 0] = np.nan
    with refusal(NonFiniteError, "finite differences: expected a finite value, received nan"):
        compare_sample(layer, params, *images(shape, batch=4), np.array([0, 2, 1, 1]), seed=0)
