"""A convolution with batch normalisation written out, in float64, parameters by short names."""

from __future__ import annotations

import numpy as np

from benchmarks.training_faults.codes.code import Code, he
from benchmarks.training_faults.images import CLASSES, Images


def im2col(x):
    """Return what the nine taps of a 3x3 kernel see: (N, 9C, H·W)."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    taps = [padded[:, :, r : r + h, s : s + w] for r in range(3) for s in range(3)]
    return np.stack(taps, axis=2).reshape(n, c * 9, h * w)


def spread(d, shape):
    """Return the gradient of maps whose 2x2 blocks were averaged."""
    n, f, h, w = shape
    d = d.reshape(n, f, h // 2, 1, w // 2, 1) / 4
    return np.broadcast_to(d, (n, f, h // 2, 2, w // 2, 2)).reshape(n, f, h * w)


def back_through_norm(d, z_hat, scale, constant):
    """Return the gradient of what was normalised; ``constant`` takes its statistics for constants."""
    if constant:
        return d * scale
    return scale * (d - d.mean(axis=(0, 2), keepdims=True) - z_hat * (d * z_hat).mean(axis=(0, 2), keepdims=True))


def output_delta(z, y):
    """Return the gradient of the cross-entropy in the scores."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    d = e / e.sum(axis=1, keepdims=True)
    d[np.arange(len(y)), y] -= 1
    return d / len(y)


def build(
    images: Images,
    seed: int,
    filters: int = 8,
    *,
    eps: float = 1e-5,
    naive: bool = False,
    bug: str | None = None,
    dtype=np.float64,
) -> Code:
    """Return conv, batch norm, relu, mean of 2x2, dense; ``naive`` takes the variance as E[x²] − E[x]²."""
    rng = np.random.default_rng([seed, 4])
    c, h, w = images.shape
    flat = filters * (h // 2) * (w // 2)
    params = {
        "k": he(rng, (filters, c * 9), c * 9).astype(dtype),
        "g": np.ones(filters, dtype),
        "s": np.zeros(filters, dtype),
        "W": he(rng, (flat, CLASSES), flat).astype(dtype),
        "b": np.zeros(CLASSES, dtype),
    }

    def forward(p, x):
        cols = im2col(x)
        z = np.einsum("fk,nkp->nfp", p["k"], cols)
        mean = z.mean(axis=(0, 2), keepdims=True)
        var = (z * z).mean(axis=(0, 2), keepdims=True) - mean * mean if naive else z.var(axis=(0, 2), keepdims=True)
        scale = 1 / np.sqrt(var + eps)
        z_hat = (z - mean) * scale
        u = p["g"][:, None] * z_hat + p["s"][:, None]
        a = np.maximum(u, 0)
        pooled = a.reshape(len(x), filters, h // 2, 2, w // 2, 2).mean(axis=(3, 5)).reshape(len(x), -1)
        return cols, z_hat, scale, u, pooled, pooled @ p["W"] + p["b"]

    def loss(p, batch):
        x, y = batch
        z = forward(p, x)[-1]
        top = z.max(axis=1)
        return float(np.mean(top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[np.arange(len(y)), y]))

    def gradients(p, batch):
        x, y = batch
        cols, z_hat, scale, u, pooled, z = forward(p, x)
        d = output_delta(z, y)
        out = {"W": pooled.T @ d, "b": d.sum(axis=0)}
        d = spread(d @ p["W"].T, (len(x), filters, h, w)) * (u > 0)
        out["g"], out["s"] = (d * z_hat).sum(axis=(0, 2)), d.sum(axis=(0, 2))
        d = back_through_norm(d * p["g"][:, None], z_hat, scale, bug == "statistics are constants")
        out["k"] = np.einsum("nfp,nkp->fk", d, cols)
        return {name: out[name] for name in p}

    return Code(
        params,
        loss,
        gradients,
        lambda x, y: (x.astype(dtype), y),
        lambda p, x: forward(p, x.astype(dtype))[-1],
        0.5,
        ["k", "W"],
        ["s", "b"],
    )
