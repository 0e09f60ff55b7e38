"""Penalties are measured wherever they are, and told to be too strong where the data are learned without them."""

import numpy as np
import pytest

from tests.diagnosis.training.networks import Net, T, X, softmax, training
from whygrad import diagnose_training
from whygrad.diagnosis.training import training_of
from whygrad.diagnosis.training.penalty import penalised_entries


def one_layer(lam, classes=10, axis=0, bias=True, start=0.0):
    """Return softmax regression with ½λΣw² of all but the bias, which is folded in."""
    x = np.hstack([X, np.ones((len(X), 1))]) if bias else X
    shape = (x.shape[1], classes) if axis == 0 else (classes, x.shape[1])
    penalised = np.ones(shape)
    if bias:
        np.moveaxis(penalised, axis, 0)[-1] = 0.0

    def scores(p, a):
        return a @ (p["w"] if axis == 0 else p["w"].T)

    def loss(p, batch):
        q = softmax(scores(p, batch[0]))
        data = -np.log(q[np.arange(len(q)), batch[1]] + 1e-300).mean()
        return float(data + 0.5 * lam * (penalised * p["w"] ** 2).sum())

    def gradients(p, batch):
        a, t = batch
        d = softmax(scores(p, a))
        d[np.arange(len(a)), t] -= 1
        g = a.T @ d / len(a)
        return {"w": (g if axis == 0 else g.T) + lam * penalised * p["w"]}

    order = np.random.default_rng(6).permutation(len(x))
    parts = [(x[order[i : i + 32]], T[order[i : i + 32]]) for i in range(0, 1280, 32)]
    w = start * np.random.default_rng(1).normal(size=shape)
    return {
        "loss": loss,
        "gradients": gradients,
        "params": {"w": w},
        "learning_rate": 0.2,
        "batch": parts[0],
        "batches": parts,
    }, penalised


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("start", [0.0, 0.1])
def test_the_entries_of_one_layer(axis, bias, start):
    given, penalised = one_layer(0.3, axis=axis, bias=bias, start=start)
    found = penalised_entries(training_of(**given))
    np.testing.assert_allclose(found["w"], 0.3 * penalised, atol=1e-6)


def test_a_layer_without_a_penalty():
    assert penalised_entries(training_of(**one_layer(0.0)[0])) == {}


def test_the_last_layer_after_sigmoids():
    found = penalised_entries(training_of(**training(Net(act="sigmoid", reg=0.1))))
    assert {n: float(lam.mean()) for n, lam in found.items()} == pytest.approx({"w1": 0.1, "w2": 0.1})


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("lam", [0.5, 2.0])
def test_one_layer_that_is_penalised_too_much(axis, lam):
    told = diagnose_training(**one_layer(lam, axis=axis)[0], seconds=60)
    assert told.cause == "regularisation_too_strong", str(told)
    assert "without the penalty" in told.faults[0].experiment


@pytest.mark.parametrize("act", ["relu", "sigmoid"])
def test_a_penalty_that_lets_little_through(act):
    net, order = Net(act=act, reg=0.1), np.random.default_rng(6).permutation(len(X))
    parts = [(X[order[i : i + 32]], T[order[i : i + 32]]) for i in range(0, 1280, 32)]
    told = diagnose_training(**training(net, 0.5, batch=parts[0], batches=parts), seconds=60)
    assert told.cause == "regularisation_too_strong", str(told)


def test_a_gentle_penalty_is_not_accused():
    assert diagnose_training(**one_layer(1e-3)[0], seconds=60).cause == "no_bug"
