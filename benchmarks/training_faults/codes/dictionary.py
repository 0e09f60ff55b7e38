"""A multi-layer perceptron as course notes write it: a dictionary W1, b1, ..., samples in rows, integer labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.training_faults.codes.code import Code, he
from benchmarks.training_faults.images import CLASSES, Images


@dataclass(frozen=True)
class Head:
    """What comes after the last layer; the gradients are right for what it computes.

    Args:
        name: "softmax"; "twice", a softmax of a softmax; "sigmoid", a softmax of sigmoids; "unshifted", a softmax
            without subtraction of the largest; "all", a loss over all classes; "pairs", p[:, y] in place of
            p[i, y_i]; "plus", a loss without its minus.
    """

    name: str

    def softmax(self, z):
        """Return e^z over its sum."""
        e = np.exp(z if self.name == "unshifted" else z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def squashed(self, z):
        """Return what stands before the softmax."""
        if self.name == "twice":
            return self.softmax(z)
        return 1 / (1 + np.exp(-z)) if self.name == "sigmoid" else z

    def loss(self, z, y, tiny):
        """Return the loss of the data."""
        p = self.softmax(self.squashed(z))
        n = len(z)
        if self.name == "all":
            return -np.mean(np.sum(np.log(p + 1e-12), axis=1))
        if self.name == "pairs":
            return -np.mean(np.log(p[:, y]))
        if self.name == "plus":
            return np.sum(np.log(p[np.arange(n), y] + 1e-12)) / n
        if self.name == "unshifted":
            return -np.sum(np.log(p[np.arange(n), y])) / n
        return -np.sum(np.log(p[np.arange(n), y] + tiny)) / n

    def delta(self, z, y):
        """Return the gradient of the loss in z."""
        n = len(z)
        q = self.squashed(z)
        p = self.softmax(q)
        onehot = np.zeros_like(p)
        onehot[np.arange(n), y] = 1
        if self.name == "all":
            d = (p * CLASSES - 1) / n
        elif self.name == "pairs":
            d = (p - onehot.mean(axis=0)) / n
        else:
            d = (p - onehot) / n * (-1 if self.name == "plus" else 1)
        if self.name == "twice":
            d = q * (d - np.sum(d * q, axis=1, keepdims=True))
        if self.name == "sigmoid":
            d = d * q * (1 - q)
        return d


def first_params(rng, sizes, dtype):
    """Return W1, b1, W2, ...: weights after He, biases of zero."""
    params = {}
    for i in range(1, len(sizes)):
        params[f"W{i}"] = he(rng, (sizes[i - 1], sizes[i]), sizes[i - 1]).astype(dtype)
        params[f"b{i}"] = np.zeros(sizes[i], dtype)
    return params


def forward(params, x):
    """Return x, the hidden layers and the scores."""
    cache = [x]
    last = len(params) // 2
    for i in range(1, last + 1):
        z = cache[-1] @ params[f"W{i}"] + params[f"b{i}"]
        cache.append(np.maximum(z, 0) if i < last else z)
    return cache


def build(
    images: Images,
    seed: int,
    hidden: tuple[int, ...] = (48,),
    *,
    l2: float = 0.0,
    bug: str | None = None,
    head: str = "softmax",
    dtype: Any = np.float64,
) -> Code:
    """Return the network; ``bug`` names a mistake in it, and ``head`` what comes after its last layer."""
    rng = np.random.default_rng([seed, 1])
    sizes = [images.features, *hidden, CLASSES]
    last = len(sizes) - 1
    params = first_params(rng, sizes, dtype)
    top = Head(head)

    def loss(params, batch):
        x, y = batch
        data = top.loss(forward(params, x)[-1], y, np.finfo(dtype).tiny)
        return data + 0.5 * l2 * sum(np.sum(params[f"W{i}"] ** 2) for i in range(1, last + 1))

    def gradients(params, batch):
        x, y = batch
        cache = forward(params, x)
        d = top.delta(cache[-1], y)
        grads = {}
        for i in range(last, 0, -1):
            a = cache[i - 1]
            if bug == "output for input" and i == last and sizes[i - 1] >= CLASSES:
                a = a * 0 + cache[i].mean(axis=1, keepdims=True)
            grads[f"W{i}"] = a.T @ d + l2 * params[f"W{i}"] * _l2_factor(bug)
            grads[f"b{i}"] = d.sum(axis=0)
            if bug == "bias mean":
                grads[f"b{i}"] = d.mean(axis=0)
            w = params[f"W{i}"]
            if bug == "transposed" and w.shape[0] == w.shape[1]:
                w = w.T
            d = d @ w.T
            if i > 1 and bug != "no derivative":
                gate = cache[i - 1] > 0
                d = d * (d > 0 if bug == "wrong gate" else gate)
        if bug == "last sample only":
            grads["W1"] = np.outer(x[-1], d[-1]) if last == 1 else x[-1:].T @ _hidden_delta(params, cache, y)[-1:]
        return grads

    def _hidden_delta(params, cache, y):
        d = top.delta(cache[-1], y)
        for i in range(last, 1, -1):
            d = d @ params[f"W{i}"].T * (cache[i - 1] > 0)
        return d

    def scores(params, x):
        return forward(params, x.reshape(len(x), -1))[-1]

    return Code(
        params,
        loss,
        gradients,
        lambda x, y: (x.reshape(len(x), -1).astype(dtype), y),
        scores,
        0.3 if len(hidden) < 3 else 0.1,
        [f"W{i}" for i in range(1, last + 1)],
        [f"b{i}" for i in range(1, last + 1)],
    )


def _l2_factor(bug: str | None) -> float:
    return {"no regulariser": 0.0, "half regulariser": 0.5, "regulariser sign": -1.0, "twice": 2.0}.get(
        bug or "", 1.0
    )
