"""Functions that raise, hang, are random, write to what they are given, or give NaN: each is said plainly."""

import time

import numpy as np
import pytest

from tests.diagnosis.training.networks import Net, batch_of, training
from whygrad import OptionError, diagnose_training
from whygrad.diagnosis.training import training_of
from whygrad.diagnosis.training.examination import Examination
from whygrad.diagnosis.training.trials import Trial
from whygrad.layers import Linear


@pytest.mark.parametrize("seconds_of_a_call", [0.01, 0.05])
def test_a_wrong_gradient_is_told_in_time_where_calls_are_slow(seconds_of_a_call):
    net = Net((64, 24, 10), "tanh")

    def slowly(function):
        def called(p, batch):
            time.sleep(seconds_of_a_call)
            return function(p, batch)

        return called

    def gradients(p, batch):
        g = net.gradients(p, batch)
        return g | {"w1": g["w1"][:, ::-1]}

    began = time.monotonic()
    told = diagnose_training(**training(net, loss=slowly(net.loss), gradients=slowly(gradients)), seconds=3)
    assert told.cause == "gradient_wrong", str(told)
    assert time.monotonic() - began < 5


def test_what_a_function_raises_is_told_with_its_line():
    def loss(params, batch):
        return params["w3"].sum()

    told = diagnose_training(**training(loss=loss))
    assert told.cause is None
    assert not told.healthy
    assert "KeyError" in told.faults[0].says
    assert "test_bad_input.py" in told.faults[0].says


def test_gradients_that_raise():
    def gradients(params, batch):
        raise ValueError("no gradients today")

    assert "no gradients today" in diagnose_training(**training(gradients=gradients)).faults[0].says


def test_nothing_is_called_healthy_that_was_never_run():
    def slow(params, batch):
        time.sleep(0.02)
        return Net().loss(params, batch)

    told = diagnose_training(**training(loss=slow), seconds=1)
    assert not told.healthy
    assert told.cause is None
    assert "before the training itself could be run, but then 1 s were over" in told.faults[0].says
    assert "could not be told" in str(told)


def test_nothing_is_called_healthy_that_fails_for_a_cause_there_was_no_time_to_find():
    examination = Examination(training_of(**training()), thorough=False)
    examination.given, examination.constant = Trial("as given", (2.3, 3.1, 4.0)), 2.3
    examination.broken_off = "15 s were over"
    told = examination.told("training")
    assert not told.healthy
    assert told.cause is None
    assert told.faults[0].says == (
        "the loss rises (as given: loss 2.3 → 4 in 2 steps), and before a cause was found 15 s were over"
    )
    examination.given = Trial("as given", (2.3, 1.0, 0.2))
    assert "nothing could be tested" in examination.told("training").faults[0].says  # it learns: no accusation


def test_nan_at_once():
    told = diagnose_training(**training(loss=lambda p, b: float("nan")))
    assert told.cause is None
    assert "NaN" in told.faults[0].says


def test_a_random_loss_is_said_to_be_random():
    def loss(params, batch):
        return Net().loss(params, batch) + np.random.default_rng().normal()

    told = diagnose_training(**training(loss=loss))
    assert any("random" in reason for reason in told.untested)


def test_a_generator_that_can_be_put_back_is_no_randomness():
    rng = np.random.default_rng(0)

    def loss(params, batch):
        return Net().loss(params, batch) * (1 + 0 * rng.random())

    assert not any("random" in reason for reason in diagnose_training(**training(loss=loss)).untested)


def test_a_function_that_takes_minutes():
    def loss(params, batch):
        time.sleep(60)

    began = time.monotonic()
    told = diagnose_training(**training(loss=loss), time_limit=0.5)
    assert time.monotonic() - began < 20
    assert "within 0.5 s" in told.faults[0].says
    assert told.cause is None


def test_the_deadline_holds_for_slow_functions():
    net = Net()

    def loss(params, batch):
        time.sleep(0.2)
        return net.loss(params, batch)

    began = time.monotonic()
    told = diagnose_training(**training(net, loss=loss), seconds=3)
    assert time.monotonic() - began < 15
    assert any("were over" in reason for reason in told.untested)


def test_gradients_that_write_to_the_parameters():
    net = Net()

    def gradients(params, batch):
        found = net.gradients(params, batch)
        params["w2"] -= 0.1 * found["w2"]
        return found

    told = diagnose_training(**training(net, gradients=gradients))
    assert told.cause == "weights_updated_before_dx"
    assert "writes to w2" in told.faults[0].says


def test_a_loss_that_writes_to_its_batch():
    net = Net()

    def loss(params, batch):
        batch[0][:] /= 2
        return net.loss(params, batch)

    told = diagnose_training(**training(net, loss=loss))
    assert "writes to its batch" in told.faults[0].says


def test_nothing_of_the_caller_is_changed():
    net, batch = Net(), batch_of()
    before = {n: a.copy() for n, a in net.params.items()}, batch[0].copy()

    def step(params, b):
        for name, g in net.gradients(params, b).items():
            params[name] -= 0.1 * g

    diagnose_training(**training(net, batch=batch, step=step))
    assert all(np.array_equal(before[0][n], net.params[n]) for n in before[0])
    assert np.array_equal(before[1], batch[0])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"loss": None}, "expected loss"),
        ({"params": {}}, "expected params"),
        ({"params": 3}, "expected params"),
        ({"params": {"w": "abc"}}, "expected w as an array of numbers"),
        ({"gradients": None}, "expected gradients"),
        ({"learning_rate": "fast"}, "expected learning_rate"),
    ],
)
def test_what_is_no_training_is_refused(changes, text):
    with pytest.raises(OptionError, match=text):
        diagnose_training(**training() | changes)


def test_models_need_their_optimiser_and_data():
    model = Linear(64, 10)
    params = model.init(np.random.default_rng(0))
    with pytest.raises(OptionError, match="expected optimizer="):
        diagnose_training(model, params, batch_of())
    with pytest.raises(OptionError, match="expected data"):
        diagnose_training(model, params, None, learning_rate=0.1)
    with pytest.raises(OptionError, match="expected a model"):
        diagnose_training("lenet", params, batch_of())
