"""Networks that cannot learn even a few samples by heart, and slow ones that can."""

import numpy as np
import pytest

from tests.diagnosis.training.networks import Net, T, X, training
from whygrad import diagnose_training
from whygrad.diagnosis.training import examine_overfitting, training_of


def batches(change=lambda x: x):
    order = np.random.default_rng(3).permutation(len(X))
    return [(change(X[order[i : i + 32]]), T[order[i : i + 32]]) for i in range(0, 1280, 32)]


def through(net, **changes):
    """Return what diagnose_training takes for a network that goes through several batches."""
    parts = batches()
    return training(net, 0.3, batch=parts[0], batches=parts, **changes)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "net",
    [
        lambda seed: Net((64, 32, 1, 10), "tanh", seed=seed),
        lambda seed: Net((64, 24, 2, 10), "relu", seed=seed),
        lambda seed: Net((64, 1, 10), "sigmoid", seed=seed),
    ],
    ids=["one unit in the middle", "two in the middle", "one sigmoid"],
)
def test_a_bottleneck(net, seed):
    told = diagnose_training(**through(net(seed)), seconds=60)
    assert told.cause == "cannot_overfit", str(told)


def test_four_black_or_white_pixels_are_too_little():
    def seen(x):
        return np.where(np.isin(np.arange(64), [19, 20, 35, 36]), np.round(x), 0.0)  # 16 patterns for 10 digits

    parts = batches(seen)
    told = diagnose_training(**training(Net(), 0.3, batch=parts[0], batches=parts), seconds=60)
    assert told.cause == "cannot_overfit", str(told)


@pytest.mark.parametrize(
    "net",
    [Net((64, 10)), Net((64, 6, 10)), Net((64, 16, 10), "sigmoid"), Net(reg=0.02)],
    ids=["one layer", "six units", "slow sigmoids", "a penalty"],
)
def test_what_can_be_learned_is_not_accused(net):
    found = examine_overfitting(training_of(**through(net)))
    assert not found.findings
    assert "→" in found.says
