"""Small mistakes are seen, and what only looks like one is not."""

import numpy as np
import pytest

from tests.checking.shared import only, said
from tests.layers.shared import images, trained
from whygrad.checking import INPUT, Verdict, check_gradient, check_model
from whygrad.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Layer, Linear, Sequential, Tanh
from whygrad.losses import half_squared_error
from whygrad.ops import linear, relu

RNG = np.random.default_rng(0)
INPUTS = {"x": RNG.normal(size=(3, 3)), "w": RNG.normal(size=(3, 3)), "b": RNG.normal(size=3)}


def cubes(x, w):
    """Return Σ x³ + 2 Σ x·w, whose gradients are 3x² + 2w and 2x."""
    return float((x**3).sum() + 2 * (x * w).sum())


def cubes_gradient(x, w):
    return 3 * x**2 + 2 * w, 2 * x


def everywhere(share):
    return lambda gradient: gradient * (1 + share)


def in_one_entry(share):
    def mutate(gradient):
        wrong = gradient.copy()
        wrong[1, 2] += share * np.abs(gradient).max()
        return wrong

    return mutate


# One function


@pytest.mark.parametrize("share", [1e-3, 1e-5, -1e-6])
@pytest.mark.parametrize("where", [everywhere, in_one_entry])
@pytest.mark.parametrize("name", ["x", "w"])
def test_a_small_mistake_is_wrong_and_the_other_gradient_is_not_blamed(name, where, share):
    def gradient(x, w):
        claimed = dict(zip("xw", cubes_gradient(x, w), strict=True))
        return claimed | {name: where(share)(claimed[name])}

    report = check_gradient(cubes, gradient, (INPUTS["x"], INPUTS["w"]))
    assert report[name].verdict is Verdict.WRONG
    assert report[name].relative_error == pytest.approx(abs(share), rel=1e-2)
    assert [row.verdict for row in report if row.name != name] == [Verdict.RIGHT]
    if where is in_one_entry:
        assert [entry.index for entry in report[name].wrong] == [(1, 2)]


@pytest.mark.parametrize("share", [1e-3, 1e-5, -1e-6])
def test_a_small_mistake_in_a_pullback_is_wrong(share):
    def f(x, w, b):
        y, pullback = linear(x, w, b)

        def backward(dy):
            dx, dw, db = pullback(dy)
            return dx, in_one_entry(share)(dw), db

        return y, backward

    report = check_gradient(f, None, INPUTS)
    assert [row.verdict for row in report] == [Verdict.RIGHT, Verdict.WRONG, Verdict.RIGHT], str(report)


def test_gradients_in_the_wrong_order_are_wrong():
    def backward(dy, x, w, b):
        return dy.T @ x, dy @ w, dy.sum(axis=0)

    report = check_gradient(lambda x, w, b: x @ w.T + b, backward, INPUTS)
    assert [row.verdict for row in report] == [Verdict.WRONG, Verdict.WRONG, Verdict.RIGHT]


def test_a_gradient_that_is_zero_is_right_and_one_that_only_claims_so_is_wrong():
    def zero(x, unused):
        return np.ones_like(x), np.zeros_like(unused)

    inputs = {"x": np.linspace(1, 2, 4), "unused": np.ones(3)}
    assert check_gradient(lambda x, unused: float(x.sum()), zero, inputs).right
    report = check_gradient(lambda x, unused: float(x.sum() + 1e-3 * unused.sum()), zero, inputs)
    assert [row.verdict for row in report] == [Verdict.RIGHT, Verdict.WRONG]


def test_dead_units_have_a_gradient_of_zero():
    row = only(check_gradient(relu, None, np.array([-1.0, -2.0])))
    assert (row.verdict, row.relative_error) == (Verdict.RIGHT, 0)


@pytest.mark.parametrize(("claimed", "verdict"), [(1e-3, Verdict.RIGHT), (2e-3, Verdict.WRONG)])
def test_the_noise_of_a_large_value_is_no_mistake_and_hides_none(claimed, verdict):
    inputs, gradient = {"x": np.array([0.5])}, {"x": np.array([claimed])}
    assert only(check_gradient(lambda x: 1e6 + float(x[0]) * 1e-3, gradient, inputs)).verdict is verdict


@pytest.mark.parametrize(("claimed", "verdict"), [(4.0, Verdict.RIGHT), (5.0, Verdict.WRONG)])
def test_an_input_without_axes_is_checked(claimed, verdict):
    row = only(check_gradient(lambda x: float(x**2), np.array(claimed), {"x": np.array(2.0)}))
    assert (row.verdict, row.checked, row.worst.index) == (verdict, 1, ())


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 0.0 if x[0] == 1 else float("nan"),
        lambda x: np.where(x == 1, x, np.nan),
        lambda x: np.sqrt(x - 1),
    ],
    ids=["a number", "an array", "a root"],
)
def test_a_function_that_is_not_finite_nearby_does_not_pass(f):
    row = only(check_gradient(f, lambda *arguments: np.zeros(1), {"x": np.ones(1)}))
    assert not row.verdict.good, said(row)
    assert "not finite right beside the point" in said(row)


# A network


class Planted(Layer):
    """A dense layer whose pullback is put through ``mutate``."""

    def __init__(self, mutate):
        self.layer, self.mutate = Linear(4, 4), mutate

    def parameters(self):
        return self.layer.parameters()

    def output_shape(self, *shapes):
        return self.layer.output_shape(*shapes)

    def __call__(self, params, *inputs, training=False, rng=None):
        y, pullback, changed = self.layer(params, *inputs, training=training, rng=rng)
        return y, lambda dy, **options: self.mutate(*pullback(dy)), changed


def check_network(mutate=lambda dx, own: (dx, own), loss=half_squared_error):
    model = Sequential(fc1=Linear(3, 4), act1=Tanh(), middle=Planted(mutate), act2=Tanh(), fc2=Linear(4, 3))
    (x,) = images((3,), batch=4)
    return check_model(model, model.init(np.random.default_rng(0)), x, np.eye(4, 3), loss=loss)


@pytest.mark.parametrize(
    ("mutate", "wrong"),
    [
        pytest.param(lambda dx, own: (dx, own), set(), id="nothing"),
        pytest.param(lambda dx, own: (dx * (1 + 1e-4), own), {"fc1.weight", "fc1.bias", INPUT}, id="slightly off"),
        pytest.param(lambda dx, own: (dx * 0, own), {"fc1.weight", "fc1.bias", INPUT}, id="zero"),
        pytest.param(
            lambda dx, own: (dx, own | {"weight": own["weight"].T.copy()}), {"middle.weight"}, id="transposed"
        ),
        pytest.param(lambda dx, own: (dx, own | {"bias": 1.0001 * own["bias"]}), {"middle.bias"}, id="bias"),
        pytest.param(lambda dx, own: (dx, {"weight": own["weight"]}), {"middle.bias"}, id="missing"),
    ],
)
def test_a_wrong_layer_is_found_by_what_lies_before_it(mutate, wrong):
    report = check_network(mutate)
    assert {row.name for row in report if row.verdict is Verdict.WRONG} == wrong, str(report)
    assert {row.name for row in report if row.verdict is not Verdict.RIGHT} == wrong


def test_a_gradient_that_is_nan_does_not_pass():
    report = check_network(lambda dx, own: (dx, own | {"bias": np.full_like(own["bias"], np.nan)}))
    assert report["middle.bias"].verdict is Verdict.NOT_FINITE


def test_a_wrong_loss_makes_every_gradient_wrong():
    def wrong(y, target):
        value, gradient = half_squared_error(y, target)
        return value, -gradient

    assert {row.verdict for row in check_network(loss=wrong)} == {Verdict.WRONG}


def test_parameters_and_images_in_float32_are_checked_in_float64_and_not_written_to():
    model = Sequential(Conv2d(1, 2, 3, bias=False), BatchNorm2d(2), Tanh(), Flatten(), Dropout(0.5), Linear(8, 3))
    params = model.init(np.random.default_rng(0))
    for array in params.values():
        array.flags.writeable = False
    (x,) = images((1, 4, 4), batch=4, dtype=np.float32)
    first, second = (check_model(model, params, x, np.array([0, 2, 1, 1]), seed=3) for _ in range(2))
    assert first.right, str(first)
    assert {row.name for row in first} == trained(model) | {INPUT}
    assert max(row.bound for row in first) < 1e-7
    assert all(array.dtype == np.float32 for array in params.values())
    assert [row.to_dict() for row in first] == [row.to_dict() for row in second]


def test_parameters_that_are_not_finite_are_said_to_be():
    model = Linear(3, 3)
    params = model.init(np.random.default_rng(0))
    params["weight"][0, 0] = np.nan
    report = check_model(model, params, *images((3,), batch=4), np.array([0, 2, 1, 1]))
    assert {row.verdict for row in report} == {Verdict.NOT_FINITE}
    assert all("weight" in said(row) for row in report)


def test_gradients_in_each_others_place_are_named():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 3))
    report = check_gradient(lambda a, b: a @ b, lambda dy, a, b: (a.T @ dy, dy @ b.T), (a, b))
    for row in report:
        assert row.verdict is Verdict.WRONG
        assert row.findings == ("the gradients of a and b are in each other's place: return them in order",)
