"""A softmax of a softmax is seen whatever the labels of the few samples are, and beside a penalty."""

import numpy as np
import pytest

from tests.diagnosis.training.networks import X, softmax
from whygrad.diagnosis.training import examine_outputs, training_of


def twice(labels, classes=10, reg=0.0, count=1, seed=0, one_hot=False):
    """Return the training of a network without biases, whose softmax is taken ``count`` + 1 times."""
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(64, 24)) * 0.2, rng.normal(size=(24, classes)) * 0.3

    def probabilities(p, x):
        z = np.tanh(x @ p["w1"]) @ p["w2"]
        for _ in range(count + 1):
            z = softmax(z)
        return z

    def loss(p, batch):
        x, t = batch
        t = t.argmax(1) if one_hot else t
        data = -np.log(probabilities(p, x)[np.arange(len(x)), t]).mean()
        return float(data + reg * ((p["w1"] ** 2).sum() + (p["w2"] ** 2).sum()))

    x = X[: len(labels)]
    t = np.eye(classes)[labels] if one_hot else labels
    return training_of(
        loss=loss, gradients=lambda p, _: p, params={"w1": w1, "w2": w2}, learning_rate=0.1, batch=(x, t)
    )


LABELS = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (np.repeat([2, 7], 16), {}),
        (LABELS.integers(0, 100, 64), {"classes": 100}),
        (LABELS.integers(0, 10, 32), {"reg": 0.01}),
        (np.repeat([0, 1, 4], 12), {"one_hot": True}),
        (np.arange(12) % 2, {"classes": 2}),
    ],
    ids=["two labels", "a hundred classes", "a penalty", "one-hot rows", "two classes"],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_softmax_of_a_softmax(labels, options, seed):
    assert examine_outputs(twice(labels, seed=seed, **options)).cause == "softmax_applied_twice"


def test_a_single_softmax_is_none():
    assert examine_outputs(twice(np.repeat([2, 7], 16), count=0)).cause is None
