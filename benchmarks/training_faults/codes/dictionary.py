"""A multi-layer perceptron as course notes write it: a dictionary W1, b1, ..., samples in rows, integer labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.training_faults.codes.code import Code, he
from benchmarks.training_faults.images import CLASSES, Images


def build(  # noqa: PLR0915 - it is as long as somebody's script
    images: Images,
    seed: int,
    hidden: tuple[int, ...] = (48,),
    *,
    l2: float = 0.0,
    bug: str | None = None,
    head: str = "softmax",
    dtype: Any = np.float64,
) -> Code:
    """Return the network; ``bug`` names a mistake in it and ``head`` what comes after the last layer.

    Heads: "softmax"; "twice", a softmax of a softmax; "sigmoid", a softmax of sigmoids; "unshifted", a softmax
    without subtraction of the largest; "all", a loss over all classes; "pairs", p[:, y] in place of p[i, y_i];
    "plus", a loss without its minus. Their gradients are right for what they compute.
    """
    rng = np.random.default_rng([seed, 1])
    sizes = [images.features, *hidden, CLASSES]
    last = len(sizes) - 1
    params = {}
    for i in range(1, last + 1):
        params[f"W{i}"] = he(rng, (sizes[i - 1], sizes[i]), sizes[i - 1]).astype(dtype)
        params[f"b{i}"] = np.zeros(sizes[i], dtype)

    def softmax(z):
        e = np.exp(z if head == "unshifted" else z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def forward(params, x):
        cache = [x]
        for i in range(1, last + 1):
            z = cache[-1] @ params[f"W{i}"] + params[f"b{i}"]
            cache.append(np.maximum(z, 0) if i < last else z)
        return cache

    def squashed(z):
        if head == "twice":
            return softmax(z)
        return 1 / (1 + np.exp(-z)) if head == "sigmoid" else z

    def loss(params, batch):
        x, y = batch
        p = softmax(squashed(forward(params, x)[-1]))
        n = len(x)
        if head == "all":
            data = -np.mean(np.sum(np.log(p + 1e-12), axis=1))
        elif head == "pairs":
            data = -np.mean(np.log(p[:, y]))
        elif head == "plus":
            data = np.sum(np.log(p[np.arange(n), y] + 1e-12)) / n
        elif head == "unshifted":
            data = -np.sum(np.log(p[np.arange(n), y])) / n
        else:
            data = -np.sum(np.log(p[np.arange(n), y] + np.finfo(dtype).tiny)) / n
        return data + 0.5 * l2 * sum(np.sum(params[f"W{i}"] ** 2) for i in range(1, last + 1))

    def output_delta(z, y):
        n = len(z)
        q = squashed(z)
        p = softmax(q)
        onehot = np.zeros_like(p)
        onehot[np.arange(n), y] = 1
        if head == "all":
            d = (p * CLASSES - 1) / n
        elif head == "pairs":
            d = (p - onehot.mean(axis=0)) / n
        else:
            d = (p - onehot) / n * (-1 if head == "plus" else 1)
        if head == "twice":
            d = q * (d - np.sum(d * q, axis=1, keepdims=True))
        if head == "sigmoid":
            d = d * q * (1 - q)
        return d

    def gradients(params, batch):
        x, y = batch
        cache = forward(params, x)
        d = output_delta(cache[-1], y)
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
        d = output_delta(cache[-1], y)
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
