"""A perceptron as video courses write it: samples in columns, one-hot targets, a flat list of arrays, sigmoids."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.training_faults.codes.code import Code, xavier
from benchmarks.training_faults.images import CLASSES, Images


def sigmoid(z):
    """Return 1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def first_params(rng, sizes, dtype):
    """Return weights after Xavier and biases of zero, one after the other."""
    params: list = []
    for before, after in itertools.pairwise(sizes):
        params += [xavier(rng, (after, before), before, after).astype(dtype), np.zeros((after, 1), dtype)]
    return params


def cost_of(cost, P, T, guard):  # noqa: N803 - as courses write it
    """Return the mean cost of predictions and targets in columns."""
    m = P.shape[1]
    if cost == "cross":
        return float(-np.sum(T * np.log(P + guard)) / m)
    if cost == "binary":
        return float(-np.sum(T * np.log(P + guard) + (1 - T) * np.log(1 - P + guard)) / m)
    return float(0.5 * np.sum((P - T) ** 2) / m)


def build(
    images: Images,
    seed: int,
    hidden: tuple[int, ...] = (32,),
    *,
    unit: str = "sigmoid",
    cost: str = "cross",
    bug: str | None = None,
    guard: float = 1e-12,
    dtype=np.float64,
) -> Code:
    """Return the network; ``cost`` is "cross" (softmax and cross-entropy), "binary" or "squares".

    ``bug`` names a mistake in its gradients.
    """
    rng = np.random.default_rng([seed, 2])
    sizes = [images.features, *hidden, CLASSES]
    layers = len(sizes) - 1
    params = first_params(rng, sizes, dtype)

    def act(z):
        return sigmoid(z) if unit == "sigmoid" else np.tanh(z)

    def slope(a):
        if bug == "slope of the sum":
            a = act(a)
        return a * (1 - a) if unit == "sigmoid" else 1 - a * a

    def forward(params, X):  # noqa: N803 - as courses write it
        A = [X]  # noqa: N806
        for i in range(layers):
            Z = params[2 * i] @ A[-1] + params[2 * i + 1]  # noqa: N806
            if i < layers - 1:
                A.append(act(Z))
            elif cost == "cross":
                E = np.exp(Z - Z.max(axis=0))  # noqa: N806
                A.append(E / E.sum(axis=0))
            else:
                A.append(sigmoid(Z))
        return A

    def loss(params, batch):
        return cost_of(cost, forward(params, batch["x"])[-1], batch["t"], guard)

    def gradients(params, batch):
        X, T = batch["x"], batch["t"]  # noqa: N806
        A = forward(params, X)  # noqa: N806
        m = X.shape[1]
        dZ = (A[-1] - T) / m  # noqa: N806
        if cost == "squares" and bug != "no last slope":
            dZ = dZ * A[-1] * (1 - A[-1])  # noqa: N806
        grads: list = [None] * len(params)
        for i in reversed(range(layers)):
            grads[2 * i] = dZ @ A[i].T
            grads[2 * i + 1] = dZ.sum(axis=1, keepdims=True)
            if i:
                dZ = (params[2 * i].T @ dZ) * (1 if bug == "no slope" else slope(A[i]))  # noqa: N806
        return grads

    def batch(x, y):
        return {"x": x.reshape(len(x), -1).T.astype(dtype), "t": np.eye(CLASSES, dtype=dtype)[y].T}

    return Code(
        params,
        loss,
        gradients,
        batch,
        lambda params, x: forward(params, x.reshape(len(x), -1).T)[-1].T,
        2.0 if unit == "sigmoid" else 0.5,
        list(range(0, 2 * layers, 2)),
        list(range(1, 2 * layers, 2)),
    )
