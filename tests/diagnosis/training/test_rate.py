"""Learning rates that are too low or too high, and those that are merely low."""

import numpy as np
import pytest

from tests.diagnosis.training.networks import Net, T, X, adam, training
from whygrad import diagnose_training


def through(net, learning_rate, **changes):
    order = np.random.default_rng(6).permutation(len(X))
    parts = [(X[order[i : i + 32]], T[order[i : i + 32]]) for i in range(0, 1280, 32)]
    return training(net, learning_rate, batch=parts[0], batches=parts, **changes)


def with_adam(rate, **options):
    net = Net(**options)
    return through(net, rate, step=adam(net, rate), optimizer="adam")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "make",
    [
        lambda seed: through(Net((64, 32, 10), "sigmoid", seed=seed), 2e-3),
        lambda seed: through(Net((64, 48, 48, 10), seed=seed), 2e-4),
        lambda seed: through(Net(seed=seed), 1e-5, momentum=0.9),
        lambda seed: through(Net((64, 10), seed=seed), 5e-4),
        lambda seed: with_adam(1e-6, act="tanh", seed=seed),
    ],
    ids=["sigmoids", "three layers", "momentum", "one layer", "Adam"],
)
def test_too_low(make, seed):
    told = diagnose_training(**make(seed), seconds=60)
    assert told.cause == "learning_rate_too_low", str(told)
    assert "raise the learning rate" in told.faults[0].fix


@pytest.mark.parametrize("seed", range(2))
def test_a_loss_that_goes_to_and_fro_does_not_crawl(seed):
    told = diagnose_training(**with_adam(3.0, seed=seed), seconds=60)
    assert told.cause == "learning_rate_too_high", str(told)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "make",
    [
        lambda seed: through(Net(seed=seed), 0.03),
        lambda seed: through(Net(seed=seed), 0.003, momentum=0.9),
        lambda seed: through(Net((64, 10), seed=seed), 0.05),
        lambda seed: with_adam(3e-4, seed=seed),
    ],
    ids=["low", "momentum", "one layer", "Adam"],
)
def test_merely_low(make, seed):
    assert diagnose_training(**make(seed), seconds=60).cause == "no_bug"
