"""Right gradients are called right, whatever the shapes, options and magnitudes."""

import numpy as np
import pytest

from tests.checking.configurations import KINKED, loss_call, operation_call
from tests.checking.shared import said
from whygrad.checking import Verdict, check_gradient, check_loss, check_model, check_op
from whygrad.engines import engine
from whygrad.losses.registry import LOSSES
from whygrad.models import MODELS
from whygrad.ops import OPERATIONS

#: Largest error of a right gradient of a smooth function, relative to its largest entry.
EXACT = 1e-9
SMALL = {
    "compact_cnn": (1, 8, 8),
    "digits_cnn": (1, 8, 8),
    "lenet5": (1, 12, 12),
    "mnist_cnn": (1, 6, 6),
    "vgg_slim": (1, 8, 8),
    "vgg_small": (3, 8, 8),
    "resnet20": (3, 8, 8),
}
both_engines = pytest.mark.parametrize("name_of_engine", ["definition", "compiled"])


def check_operation(seed, name_of_engine):
    name, sample = operation_call(seed)

    def f(at):
        return OPERATIONS[name].run(sample, at)

    with engine(name_of_engine):
        return name, check_gradient(f, None, sample.inputs, seed=seed, subject=name)


def check_a_loss(seed, name_of_engine):
    name, sample = loss_call(seed)

    def f(at):
        return LOSSES[name].function(at["prediction"], sample.target, **sample.options)

    with engine(name_of_engine):
        return name, check_gradient(
            f, None, {"prediction": sample.prediction}, seed=seed, subject=name, constant_is_right=True
        )


def assert_right(name, report):
    for row in report:
        assert row.verdict.good, f"{name} {row.name}: {row.verdict}, {said(row)}"
        # Where a gradient is all but zero, errors relative to it say nothing.
        zero = "the gradient is zero" in said(row) or abs(row.worst.analytic - row.worst.numeric) <= row.worst.bound
        assert name in KINKED or zero or row.relative_error <= EXACT, f"{name} {row.name}: {row.relative_error}"


@both_engines
@pytest.mark.parametrize("seed", range(24))
def test_a_random_call_of_an_operation_is_right(seed, name_of_engine):
    assert_right(*check_operation(seed, name_of_engine))


@both_engines
@pytest.mark.parametrize("seed", range(10))
def test_a_random_call_of_a_loss_is_right(seed, name_of_engine):
    assert_right(*check_a_loss(seed, name_of_engine))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1750))
def test_many_random_calls_of_operations_are_right(seed):
    assert_right(*check_operation(seed, ("definition", "compiled")[seed // len(OPERATIONS) % 2]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1250))
def test_many_random_calls_of_losses_are_right(seed):
    assert_right(*check_a_loss(seed, ("definition", "compiled")[seed // len(LOSSES) % 2]))


@both_engines
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_samples_of_every_operation_are_right(name, name_of_engine):
    with engine(name_of_engine):
        report = check_op(name, seed=7)
    assert_right(name, report)
    assert report.details["engine"] == name_of_engine


@both_engines
@pytest.mark.parametrize("name", LOSSES)
def test_the_samples_of_every_loss_are_right(name, name_of_engine):
    with engine(name_of_engine):
        assert_right(name, check_loss(name, seed=7))


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_samples_of_every_operation_are_right_in_float32(name):
    assert check_op(name, dtype="float32").right


@pytest.mark.parametrize("name", LOSSES)
def test_the_samples_of_every_loss_are_right_in_float32(name):
    assert check_loss(name, dtype="float32").right


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_right(name, seed):
    rng = np.random.default_rng(seed)
    model = MODELS[name](input_shape=SMALL[name])
    report = check_model(
        model, model.init(rng), rng.normal(size=(3, *SMALL[name])), rng.integers(0, 10, 3), seed=seed
    )
    assert report.right, str(report)
    trained = [key for key, parameter in model.parameters().items() if parameter.trained]
    assert [row.name for row in report] == [*trained, "input"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "vgg_small")) for name in MODELS]
)
def test_no_model_is_wrong_on_images_with_an_empty_background(name):
    rng = np.random.default_rng(0)
    model = MODELS[name](input_shape=SMALL[name])
    x = np.zeros((3, *SMALL[name]))
    x[:, :, 2:4, 2:5] = rng.uniform(size=x[:, :, 2:4, 2:5].shape)
    report = check_model(model, model.init(rng), x, rng.integers(0, 10, 3))
    # An empty pixel feeds many units that are all at their kinks, so that its gradient may be anybody's guess.
    assert report["input"].verdict in (Verdict.RIGHT, Verdict.KINK, Verdict.UNDECIDED), str(report)
    # A bias of 0 moves them all as well; what it moves and cannot be told is said, and nothing is called wrong.
    assert all(row.verdict is not Verdict.WRONG for row in report), str(report)
    assert all(row.verdict.good for row in report if row.name.endswith("weight")), str(report)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1, 1), (2, 3, 1)])
@pytest.mark.parametrize("size", [1e-3, 1.0, 150.0, 1e3])
@pytest.mark.parametrize("seed", range(4))
@both_engines
def test_a_normalisation_of_single_entries_has_no_gradient_and_is_right(shape, size, seed, name_of_engine):
    rng = np.random.default_rng(seed)
    x, gamma, beta = size * rng.normal(size=shape), rng.uniform(0.5, 2, 1), rng.normal(size=1)
    with engine(name_of_engine):
        report = check_op("layer_norm", x, gamma, beta)
    assert report.right, str(report)
