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


def bowl(momentum, seed=0, middle=3.0):
    """Return the descent into a long valley, half a step below the limit of plain descent."""
    rng = np.random.default_rng(seed)
    slopes = np.geomspace(0.02, 1.0, 12)
    start = rng.normal(size=12)
    return {
        "loss": lambda p, _: float((slopes * (p["w"] - middle) ** 2).sum() / 2) + 0.01,
        "gradients": lambda p, _: {"w": slopes * (p["w"] - middle)},
        "params": {"w": start},
        "learning_rate": 1.0,
        "batch": np.zeros(1),
        "momentum": momentum,
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("momentum", "cause"), [(0.9, "no_bug"), (0.999, "momentum_too_high"), (1.0, "momentum_too_high")]
)
def test_momentum_on_a_convex_loss(momentum, cause, seed):
    told = diagnose_training(**bowl(momentum, seed), seconds=60)
    assert told.cause == cause, str(told)


@pytest.mark.parametrize("seed", range(3))
def test_a_valley_around_zero_is_no_penalty(seed):
    assert diagnose_training(**bowl(0.9, seed, middle=0.0), seconds=60).cause == "no_bug"
