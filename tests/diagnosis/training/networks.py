"""Trainings in plain NumPy, right ones, from which the tests make wrong ones."""

from itertools import pairwise

import numpy as np

from whygrad.data import load_digits

DIGITS = load_digits()
X = DIGITS.images.reshape(len(DIGITS.images), -1).astype(np.float64)
T = DIGITS.labels.astype(int)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


class Net:
    """A perceptron: W (in, out), x @ W + b."""

    def __init__(self, sizes=(64, 32, 10), act="relu", seed=0, scale=1.0, dtype=float, reg=0.0):
        self.act, self.reg, self.layers = act, reg, len(sizes) - 1
        rng, self.params = np.random.default_rng(seed), {}
        for i, (a, b) in enumerate(pairwise(sizes), 1):
            gain = 2 if act == "relu" else 1
            self.params[f"w{i}"] = (rng.normal(size=(a, b)) * np.sqrt(gain / a) * scale).astype(dtype)
            self.params[f"b{i}"] = np.zeros(b, dtype)

    def f(self, z):
        return {
            "relu": lambda: np.maximum(z, 0),
            "tanh": lambda: np.tanh(z),
            "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        }[self.act]()

    def slope(self, z, a):
        return {"relu": lambda: (z > 0).astype(z.dtype), "tanh": lambda: 1 - a * a, "sigmoid": lambda: a * (1 - a)}[
            self.act
        ]()

    def forward(self, p, x):
        a, before, after = x, [], [x]
        for i in range(1, self.layers + 1):
            z = a @ p[f"w{i}"] + p[f"b{i}"]
            a = self.f(z) if i < self.layers else z
            before.append(z)
            after.append(a)
        return before, after

    def predict(self, p, x):
        return self.forward(p, x)[0][-1]

    def penalty(self, p):
        return 0.5 * self.reg * sum((p[f"w{i}"] ** 2).sum() for i in range(1, self.layers + 1))

    def loss(self, p, batch):
        x, t = batch
        z = self.predict(p, x)
        m = z.max(1, keepdims=True)
        log_p = z - m - np.log(np.exp(z - m).sum(1, keepdims=True))
        return float(-log_p[np.arange(len(x)), t].mean() + self.penalty(p))

    def gradients(self, p, batch, d=None):
        x, t = batch
        before, after = self.forward(p, x)
        if d is None:
            d = softmax(before[-1])
            d[np.arange(len(x)), t] -= 1
            d /= len(x)
        g = {}
        for i in range(self.layers, 0, -1):
            g[f"w{i}"] = after[i - 1].T @ d + self.reg * p[f"w{i}"]
            g[f"b{i}"] = d.sum(0)
            if i > 1:
                d = d @ p[f"w{i}"].T * self.slope(before[i - 2], after[i - 1])
        return g


def batch_of(n=64, seed=0):
    chosen = np.random.default_rng(seed).permutation(len(X))[:n]
    return X[chosen], T[chosen]


def training(net=None, learning_rate=0.1, n=64, **changes):
    """Return what diagnose_training takes."""
    net = net or Net()
    return {
        "loss": net.loss,
        "gradients": net.gradients,
        "params": net.params,
        "learning_rate": learning_rate,
        "batch": batch_of(n),
    } | changes


def with_gradients(change, net=None, **changes):
    """Return a training whose gradients are changed: change(gradients, params, batch)."""
    net = net or Net()
    return training(net, gradients=lambda p, b: change(net.gradients(p, b), p, b), **changes)


def with_step(update, net=None, learning_rate=0.1, **changes):
    """Return a training with a step: update(params, gradients)."""
    net = net or Net()
    return training(net, learning_rate, step=lambda p, b: update(p, net.gradients(p, b)), **changes)


def trained(net, steps, rate=0.1):
    """Return parameters after some steps with momentum."""
    p, v, rng = dict(net.params), {}, np.random.default_rng(1)
    for _ in range(steps):
        chosen = rng.permutation(len(X))[:64]
        for name, g in net.gradients(p, (X[chosen], T[chosen])).items():
            v[name] = 0.9 * v.get(name, 0) + g
            p[name] = p[name] - rate * v[name]
    return p


def adam(net, rate=1e-3, correct=True, per_parameter=False):
    """Return a step of Adam, right or wrong."""
    m, v, kept = {}, {}, {"t": 0}

    def step(p, batch):
        kept["t"] += not per_parameter
        for name, g in net.gradients(p, batch).items():
            kept["t"] += per_parameter
            m[name] = 0.9 * m.get(name, 0) + 0.1 * g
            v[name] = 0.999 * v.get(name, 0) + 0.001 * g**2
            by_m, by_v = (1 - 0.9 ** kept["t"], 1 - 0.999 ** kept["t"]) if correct else (1, 1)
            p[name] = p[name] - rate * (m[name] / by_m) / (np.sqrt(v[name] / by_v) + 1e-8)
        return p

    return step
