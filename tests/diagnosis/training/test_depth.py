"""What grows or shrinks from layer to layer, each of them within what is usual."""

import numpy as np
import pytest

from tests.diagnosis.training.networks import Net, T, X, training
from whygrad import diagnose_training


def batches(seed=4):
    order = np.random.default_rng(seed).permutation(len(X))
    return [(X[order[i : i + 32]], T[order[i : i + 32]]) for i in range(0, 1280, 32)]


def deep(seed=0, layers=7, units=32, learning_rate=0.05, **options):
    parts = batches()
    net = Net((64, *[units] * layers, 10), seed=seed, **options)
    return training(net, learning_rate, batch=parts[0], batches=parts)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({"scale": 1.7}, "exploding_gradient"),
        ({"scale": 1.7, "layers": 10, "learning_rate": 0.03}, "exploding_gradient"),
        ({"scale": 0.3, "act": "tanh"}, "vanishing_gradient"),
        ({"scale": 0.45, "layers": 8}, "vanishing_gradient"),
    ],
    ids=["ReLU, 1.7 times", "ten layers, 1.7 times", "tanh, 0.3 times", "ReLU, 0.45 times"],
)
def test_layers_that_multiply(options, label, seed):
    told = diagnose_training(**deep(seed, **options), seconds=60)
    assert told.cause == label, str(told)
    assert "init_scale_wrong" in told.faults[0].also
    assert "drawn with variance 2/fan_in" in told.faults[0].experiment


def test_all_layers_that_are_off_are_drawn_anew():
    told = diagnose_training(**deep(scale=3.0, layers=8), seconds=60)
    assert told.cause in ("init_scale_wrong", "exploding_gradient"), str(told)
    assert "w1, w2, w3, w4, w5, w6, w7, w8, w9 drawn" in told.faults[0].experiment


@pytest.mark.parametrize(("options", "seed"), [({}, 0), ({"scale": 1.15}, 1), ({"layers": 4, "scale": 0.8}, 2)])
def test_usual_depths_are_not_accused(options, seed):
    told = diagnose_training(**deep(seed, **options), seconds=60)
    assert told.cause == "no_bug", str(told)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("layers", [4, 6])
def test_sigmoids_let_gradients_vanish(layers, seed):
    told = diagnose_training(**deep(seed, layers=layers, act="sigmoid", learning_rate=0.5), seconds=60)
    assert told.cause == "vanishing_gradient", str(told)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("bias", "shift"), [("b1", -15.0), ("b2", 20.0)])
def test_slow_sigmoids_that_are_saturated(bias, shift, seed):
    given = deep(seed, layers=2, act="sigmoid", learning_rate=0.5)
    pushed = {n: a + shift if n == bias else a for n, a in given["params"].items()}
    told = diagnose_training(**given | {"params": pushed}, seconds=60)
    assert told.cause == "saturated_units", str(told)


def test_slow_sigmoids_are_not_accused():
    told = diagnose_training(**deep(layers=2, act="sigmoid", learning_rate=0.2), seconds=60)
    assert told.cause == "no_bug", str(told)
