"""Softmax regression as a first exercise: one weight matrix with the bias folded in, or two entries."""

from __future__ import annotations

import numpy as np

from benchmarks.training_faults.codes.code import Code
from benchmarks.training_faults.images import CLASSES, Images


def build(images: Images, seed: int, *, l2: float = 0.0, bug: str | None = None, dtype=np.float64) -> Code:
    """Return the classifier; it begins at zeros, as it may."""
    del seed
    params = {"theta": np.zeros((images.features + 1, CLASSES), dtype)}

    def with_ones(x):
        return np.hstack([np.ones((len(x), 1), dtype), x.reshape(len(x), -1).astype(dtype)])

    def log_softmax(z):
        z = z - z.max(1, keepdims=True)
        return z - np.log(np.exp(z).sum(1, keepdims=True))

    def loss(params, batch):
        features, labels = batch
        chosen = log_softmax(features @ params["theta"])[range(len(labels)), labels]
        return -chosen.mean() + l2 * np.sum(params["theta"][1:] ** 2)

    def gradients(params, batch):
        features, labels = batch
        p = np.exp(log_softmax(features @ params["theta"]))
        p[range(len(labels)), labels] -= 1
        g = features.T @ p / len(labels)
        factor = {"no regulariser": 0.0, "half regulariser": 1.0, "regulariser sign": -2.0}.get(bug or "", 2.0)
        g[1:] += factor * l2 * params["theta"][1:]
        return {"theta": g}

    return Code(
        params,
        loss,
        gradients,
        lambda x, y: (with_ones(x), y),
        lambda params, x: with_ones(x) @ params["theta"],
        0.5,
        ["theta"],
        [],
    )
