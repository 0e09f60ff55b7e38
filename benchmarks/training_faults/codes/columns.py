"""A perceptron as video courses write it: samples in columns, one-hot targets, a flat list of arrays, sigmoids."""

from __future__ import annotations

import numpy as np

from benchmarks.training_faults.codes.code import Code, xavier
from benchmarks.training_faults.images import CLASSES, Images


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
    params: list = []
    for i in range(layers):
        params += [xavier(rng, (sizes[i + 1], sizes[i]), *sizes[i : i + 2]).astype(dtype)]
        params += [np.zeros((sizes[i + 1], 1), dtype)]

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

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
        P, T = forward(params, batch["x"])[-1], batch["t"]  # noqa: N806
        m = batch["x"].shape[1]
        if cost == "cross":
            return float(-np.sum(T * np.log(P + guard)) / m)
        if cost == "binary":
            return float(-np.sum(T * np.log(P + guard) + (1 - T) * np.log(1 - P + guard)) / m)
        return float(0.5 * np.sum((P - T) ** 2) / m)

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
