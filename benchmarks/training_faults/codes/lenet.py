"""A LeNet as papers describe it: tanh, average pooling, cross-entropy or squared error against ±1; a list."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.training_faults.codes.code import Code, xavier
from benchmarks.training_faults.images import CLASSES, Images


def first_params(rng, channels, k2, flat, dtype):
    """Return kernel and bias of two convolutions and of two dense layers."""
    return [
        xavier(rng, (5, channels, 3, 3), 9 * channels, 45).astype(dtype),
        np.zeros(5, dtype),
        xavier(rng, (10, 5, k2, k2), 5 * k2 * k2, 10 * k2 * k2).astype(dtype),
        np.zeros(10, dtype),
        xavier(rng, (flat, 32), flat, 32).astype(dtype),
        np.zeros(32, dtype),
        xavier(rng, (32, CLASSES), 32, CLASSES).astype(dtype),
        np.zeros(CLASSES, dtype),
    ]


def correlate(x, k, b):
    """Return the feature maps of x."""
    taps = sliding_window_view(x, k.shape[2:], axis=(2, 3))
    return np.einsum("ncijrs,fcrs->nfij", taps, k, optimize=True) + b.reshape(1, -1, 1, 1)


def kernel_gradient(x, size, d):
    """Return the gradient of a kernel that has seen x."""
    return np.einsum("ncijrs,nfij->fcrs", sliding_window_view(x, size, axis=(2, 3)), d, optimize=True)


def back_through(k, d, shape):
    """Return the gradient of what a kernel has seen."""
    back = np.zeros(shape, d.dtype)
    i, j = d.shape[2:]
    for r in range(k.shape[2]):
        for s in range(k.shape[3]):
            back[:, :, r : r + i, s : s + j] += np.einsum("nfij,fc->ncij", d, k[:, :, r, s])
    return back


def loss_and_delta(cost, z, y):
    """Return the mean loss of scores, and its gradient."""
    n = len(z)
    onehot = np.eye(CLASSES)[y]
    if cost == "cross":
        z = z - z.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(n), y] + 1e-300).mean(), (p - onehot) / n
    target = 2 * onehot - 1
    return 0.5 * ((z - target) ** 2).sum() / n, (z - target) / n


def build(images: Images, seed: int, *, cost: str = "cross", bug: str | None = None, dtype=np.float64) -> Code:
    """Return conv 3x3, tanh, mean of 2x2, conv 2x2 or 3x3, tanh, dense, tanh, dense."""
    rng = np.random.default_rng([seed, 5])
    c, h, _ = images.shape
    pooled = (h - 2) // 2
    k2 = 2 if h < 12 else 3
    side = pooled - k2 + 1
    flat = 10 * side * side
    params = first_params(rng, c, k2, flat, dtype)

    def forward(params, x):
        k1, b1, k2_, b2, w3, b3, w4, b4 = params
        a1 = np.tanh(correlate(x, k1, b1))
        n, f, i, j = a1.shape
        p1 = a1.reshape(n, f, i // 2, 2, j // 2, 2).mean(axis=(3, 5))
        a2 = np.tanh(correlate(p1, k2_, b2))
        v = a2.reshape(n, -1)
        a3 = np.tanh(v @ w3 + b3)
        return a1, p1, a2, v, a3, a3 @ w4 + b4

    def both(params, batch):
        x, y = batch
        n = len(x)
        a1, p1, a2, v, a3, z = forward(params, x)
        value, d = loss_and_delta(cost, z, y)
        k2_, w3, w4 = params[2], params[4], params[6]
        gw4, gb4 = a3.T @ d, d.sum(axis=0)
        d = d @ w4.T * (1 - a3**2)
        gw3, gb3 = v.T @ d, d.sum(axis=0)
        d = (d @ w3.T).reshape(a2.shape)
        d = d * (1 - a2**2 if bug != "tanh of tanh" else 1 - np.tanh(a2) ** 2)
        gk2 = kernel_gradient(p1, k2_.shape[2:], d)
        gb2 = d.sum(axis=(0, 2, 3))
        back = back_through(k2_, d, p1.shape)
        share = 1.0 if bug == "pool not shared" else 0.25
        d = np.repeat(np.repeat(back, 2, axis=2), 2, axis=3) * share * (1 - a1**2)
        gk1 = kernel_gradient(x, (3, 3), d)
        gb1 = d.sum(axis=(0, 2, 3))
        if bug == "bias per image":
            gb1 = gb1 / n
        return value, [gk1, gb1, gk2, gb2, gw3, gb3, gw4, gb4]

    return Code(
        params,
        lambda params, batch: both(params, batch)[0],
        lambda params, batch: both(params, batch)[1],
        lambda x, y: (x.astype(dtype), y),
        lambda params, x: forward(params, x.astype(dtype))[-1],
        0.3 if cost == "cross" else 0.05,
        [0, 2, 4, 6],
        [1, 3, 5, 7],
    )
