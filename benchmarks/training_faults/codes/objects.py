"""A small convolutional network as repositories have it: layers as objects with forward and backward, float32."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.training_faults.codes.code import Code, he
from benchmarks.training_faults.images import CLASSES, Images


class Conv:
    """A 3x3 convolution with padding 1."""

    def __init__(self, w, b, bug):
        self.w, self.b, self.bug = w, b, bug

    def forward(self, x):
        """Return (N, F, H, W) for (N, C, H, W)."""
        self.x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        self.patches = sliding_window_view(self.x, (3, 3), axis=(2, 3))
        return np.einsum("nchwrs,fcrs->nfhw", self.patches, self.w, optimize=True) + self.b[:, None, None]

    def backward(self, dy):
        """Return the gradient of the input; keep those of the parameters."""
        self.dw = np.einsum("nchwrs,nfhw->fcrs", self.patches, dy, optimize=True)
        if self.bug == "gradient turned":
            self.dw = self.dw[:, :, ::-1, ::-1]
        if self.bug == "channels summed":
            self.dw = np.broadcast_to(self.dw.sum(1, keepdims=True), self.dw.shape).copy()
        self.db = dy.sum(axis=(0, 2, 3))
        around = sliding_window_view(np.pad(dy, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
        w = self.w if self.bug == "kernel not turned" else self.w[:, :, ::-1, ::-1]
        return np.einsum("nfhwrs,fcrs->nchw", around, w, optimize=True)


class Relu:
    """max(0, x)."""

    def forward(self, x):
        """Return the positive part."""
        self.open = x > 0
        return x * self.open

    def backward(self, dy):
        """Pass what was open."""
        return dy * self.open


class Pool:
    """The largest of 2x2."""

    def __init__(self, bug):
        self.bug = bug

    def forward(self, x):
        """Return (N, C, H/2, W/2)."""
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.shape, self.at = x.shape, blocks.argmax(axis=-1)
        return blocks.max(axis=-1)

    def backward(self, dy):
        """Give the gradient to the entry that was largest."""
        n, c, h, w = self.shape
        blocks = np.zeros((*dy.shape, 4), dy.dtype)
        at = np.zeros_like(self.at) if self.bug == "pool corner" else self.at
        np.put_along_axis(blocks, at[..., None], dy[..., None], axis=-1)
        return blocks.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(self.shape)


def build(
    images: Images, seed: int, filters: tuple[int, int] = (6, 12), *, bug: str | None = None, dtype=np.float32
) -> Code:
    """Return conv, relu, pool, conv, relu, pool, dense."""
    rng = np.random.default_rng([seed, 3])
    f1, f2 = filters
    c, h, w = images.shape
    flat = f2 * (h // 4) * (w // 4)
    params = {
        "conv1.w": he(rng, (f1, c, 3, 3), 9 * c).astype(dtype),
        "conv1.b": np.zeros(f1, dtype),
        "conv2.w": he(rng, (f2, f1, 3, 3), 9 * f1).astype(dtype),
        "conv2.b": np.zeros(f2, dtype),
        "dense.w": he(rng, (flat, CLASSES), flat).astype(dtype),
        "dense.b": np.zeros(CLASSES, dtype),
    }

    class Net:
        def forward(self, params, x):
            self.conv1 = Conv(params["conv1.w"], params["conv1.b"], None)
            self.conv2 = Conv(params["conv2.w"], params["conv2.b"], bug)
            self.stack = [self.conv1, Relu(), Pool(None), self.conv2, Relu(), Pool(bug)]
            for layer in self.stack:
                x = layer.forward(x)
            self.flat = x.reshape(len(x), -1)
            self.features = x.shape
            return self.flat @ params["dense.w"] + params["dense.b"]

        def loss_and_gradients(self, params, x, y):
            z = self.forward(params, x)
            shifted = z - z.max(axis=1, keepdims=True)
            log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
            value = -log_p[np.arange(len(y)), y].mean()
            d = np.exp(log_p)
            d[np.arange(len(y)), y] -= 1
            d /= len(y)
            grads = {"dense.w": self.flat.T @ d, "dense.b": d.sum(axis=0)}
            d = (d @ params["dense.w"].T).reshape(self.features)
            for layer in reversed(self.stack):
                d = layer.backward(d)
            grads |= {"conv1.w": self.conv1.dw, "conv1.b": self.conv1.db}
            grads |= {"conv2.w": self.conv2.dw, "conv2.b": self.conv2.db}
            return value, {name: grads[name] for name in params}

    def scores(params, x):
        return Net().forward(params, x.astype(dtype))

    return Code(
        params,
        lambda params, batch: Net().loss_and_gradients(params, *batch)[0],
        lambda params, batch: Net().loss_and_gradients(params, *batch)[1],
        lambda x, y: (x.astype(dtype), y),
        scores,
        0.2,
        ["conv1.w", "conv2.w", "dense.w"],
        ["conv1.b", "conv2.b", "dense.b"],
    )
