"""Healthy trainings: nobody is accused."""

import numpy as np
import pytest

from tests.diagnosis.training.networks import (
    Net,
    T,
    X,
    adam,
    batch_of,
    trained,
    training,
    with_gradients,
    with_step,
)
from whygrad import diagnose_training


def narrow():
    x, t = batch_of()
    return training(Net(dtype=np.float32), batch=(x.astype(np.float32), t))


def softmax_regression():
    net = Net((64, 10))
    return training(net, params={name: a * 0 for name, a in net.params.items()})


def silent_last_layer():
    net = Net()
    return training(net, params=net.params | {"w2": net.params["w2"] * 0})


def with_adam(**changes):
    net = Net()
    return training(net, 1e-3, step=adam(net), **changes)


def in_place():
    def update(p, g):
        for name in p:
            p[name] -= 0.1 * g[name]

    return with_step(update)


def momentum_step():
    v = {}

    def update(p, g):
        for name in g:
            v[name] = 0.9 * v.get(name, 0) + g[name]
        return {name: p[name] - 0.02 * v[name] for name in p}

    return with_step(update, learning_rate=0.02, momentum=0.9, optimizer="momentum")


def damped_momentum():
    """The damping 1 − 0.9 and the rate are the same number."""
    v = {}

    def update(p, g):
        for name in g:
            v[name] = 0.9 * v.get(name, 0) + 0.1 * g[name]
        return {name: p[name] - 0.1 * v[name] for name in p}

    return with_step(update, learning_rate=0.1)


def with_dropout():
    net = Net()
    rng = np.random.default_rng(0)

    def masked(p, batch):
        x, t = batch
        return net.gradients(p, (x * (rng.random(x.shape) < 0.8) / 0.8, t))

    def loss(p, batch):
        x, t = batch
        return net.loss(p, (x * (rng.random(x.shape) < 0.8) / 0.8, t))

    return training(net, loss=loss, gradients=masked)


def seen_as(change, **more):
    """Samples that are changed within the functions."""
    net = Net()
    return training(
        net,
        loss=lambda p, b: net.loss(p, (change(b[0]), b[1])),
        gradients=lambda p, b: net.gradients(p, (change(b[0]), b[1])),
        **more,
    )


def as_list():
    net = Net()
    names = list(net.params)

    def loss(p, batch):
        return net.loss(dict(zip(names, p, strict=True)), batch)

    def gradients(p, batch):
        found = net.gradients(dict(zip(names, p, strict=True)), batch)
        return [found[name] for name in names]

    return training(net, loss=loss, gradients=gradients, params=list(net.params.values()))


HEALTHY = {
    "plain": training,
    "tanh, three layers": lambda: training(Net((64, 32, 32, 10), "tanh"), 0.3),
    "sigmoid": lambda: training(Net(act="sigmoid"), 0.5),
    "a tenth of the rate": lambda: training(learning_rate=0.01),
    "a slow rate": lambda: training(learning_rate=0.003),
    "a high rate": lambda: training(learning_rate=0.5),
    "momentum": lambda: training(learning_rate=0.05, momentum=0.9),
    "late": lambda: training(params=trained(Net(), 600)),
    "in the middle": lambda: training(params=trained(Net(), 60), momentum=0.9),
    "float32": narrow,
    "float16": lambda: training(Net(dtype=np.float16), batch=(batch_of()[0].astype(np.float16), batch_of()[1])),
    "samples that are black or white": lambda: seen_as(lambda x: (x > 0.5).astype(float)),
    "bytes": lambda: seen_as(lambda x: x / 255, batch=((255 * batch_of()[0]).astype(np.uint8), batch_of()[1])),
    "whole numbers that stay what they are": lambda: seen_as(
        lambda x: (16 * x).astype(int) / 16, batch=(np.round(16 * batch_of()[0]) / 16, batch_of()[1])
    ),
    "regularised": lambda: training(Net(reg=1e-3)),
    "decay in the gradient alone": lambda: with_gradients(
        lambda g, p, b: {n: a + 5e-4 * p[n] * n.startswith("w") for n, a in g.items()}
    ),
    "data": lambda: training(data=(X, T), predict=Net().predict),
    "softmax regression from zeros": softmax_regression,
    "a last layer of zeros": silent_last_layer,
    "four samples": lambda: training(n=4),
    "a thousand samples": lambda: training(n=1000),
    "deep": lambda: training(Net((64, 64, 64, 64, 64, 10)), 0.05),
    "a step": lambda: with_step(lambda p, g: {n: p[n] - 0.1 * g[n] for n in p}),
    "a step in place": in_place,
    "a step alone": lambda: with_step(lambda p, g: {n: p[n] - 0.1 * g[n] for n in p}) | {"gradients": None},
    "a step with momentum": momentum_step,
    "a step with damped momentum": damped_momentum,
    "Adam": with_adam,
    "Adam alone": lambda: with_adam() | {"gradients": None, "seconds": 6},
    "dropout": with_dropout,
    "a list of parameters": as_list,
    "a sum for a loss, and its gradient": lambda: training(
        loss=lambda p, b: 64 * Net().loss(p, b),
        gradients=lambda p, b: {n: 64 * g for n, g in Net().gradients(p, b).items()},
        learning_rate=0.1 / 64,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_nobody_is_accused(name):
    told = diagnose_training(**{"seconds": 60} | HEALTHY[name]())
    assert told.cause == "no_bug", str(told)
    assert told.healthy
    assert "Healthy" in str(told)


def test_a_rate_at_the_edge_of_stability_is_healthy():
    from whygrad.diagnosis.training import curvature, training_of

    limit = curvature(training_of(**training())).limit
    assert diagnose_training(**training(learning_rate=limit), seconds=60).cause == "no_bug"


def test_what_could_not_be_tested_is_said():
    told = diagnose_training(**training(n=8), seconds=60)
    assert any("too few" in reason for reason in told.untested)
    assert any("order" in reason for reason in told.untested)
