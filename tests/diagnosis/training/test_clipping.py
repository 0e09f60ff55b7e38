"""Clipping that always clips, in the ways that people write it, and clipping that rarely does."""

import numpy as np
import pytest

from tests.diagnosis.training.networks import Net, T, X, training
from whygrad import diagnose_training


def to_norm(g, most):
    length = np.sqrt(sum((a**2).sum() for a in g.values()))
    return {n: a * min(1, most / length) for n, a in g.items()}


def each_to_norm(g, most):
    return {n: a * min(1, most / np.linalg.norm(a)) for n, a in g.items()}


def entries(g, most):
    return {n: np.clip(a, -most, most) for n, a in g.items()}


def stepping(cut, most, rate, beta, net):
    """Return a training with gradients that are cut, then gathered by momentum."""
    kept = {}
    order = np.random.default_rng(6).permutation(len(X))
    parts = [(X[order[i : i + 32]], T[order[i : i + 32]]) for i in range(0, 1280, 32)]

    def step(p, batch):
        for name, g in cut(net.gradients(p, batch), most).items():
            kept[name] = beta * kept.get(name, 0) + g
            p[name] = p[name] - rate * kept[name]
        return p

    return training(net, rate, batch=parts[0], batches=parts, step=step, momentum=beta)


@pytest.mark.parametrize("beta", [0.0, 0.9])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("cut", "most"), [(to_norm, 0.01), (each_to_norm, 0.003), (entries, 1e-4)])
def test_it_always_clips(cut, most, beta, seed):
    told = diagnose_training(**stepping(cut, most, 0.1 * (1 - 0.7 * bool(beta)), beta, Net(seed=seed)), seconds=60)
    assert told.cause == "clipping_always", str(told)
    assert "without clipping" in told.faults[0].experiment


@pytest.mark.parametrize("beta", [0.0, 0.9])
@pytest.mark.parametrize(("cut", "most"), [(to_norm, 2.0), (each_to_norm, 1.0), (entries, 0.1)])
def test_it_rarely_clips(cut, most, beta):
    told = diagnose_training(**stepping(cut, most, 0.1 * (1 - 0.7 * bool(beta)), beta, Net()), seconds=60)
    assert told.cause == "no_bug", str(told)
