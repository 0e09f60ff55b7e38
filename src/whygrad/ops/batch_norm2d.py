"""Batch normalisation of images: every channel to mean 0 and variance 1, then scaled and shifted."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import DataError
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, flag, floats, number, rank, shape


class BatchNorm(NamedTuple):
    """The value of a call: the normalised images and the running statistics after it."""

    y: Array  #: (N, C, H, W)
    running_mean: Array  #: (C,)
    running_var: Array  #: (C,)


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array
    mean: Array  #: what was taken off x, (C,)
    scale: Array  #: 1/√(variance + eps), (C,)
    gamma: Array
    training: bool
    beta: Array | None = None  #: given where a ReLU followed, which lets dy through where γ·x̂ + β > 0


def batch_norm2d(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[BatchNorm, Pullback]:
    """Normalise each channel over the batch and its positions.

        x̂[n,c,a,b] = (x[n,c,a,b] − μ[c]) / √(v[c] + eps)          y = γ[c]·x̂ + β[c]

    In training μ and v are the mean and variance over the M = N·H·W entries of the channel, and the running
    statistics move towards them: r ← (1 − momentum)·r + momentum·(μ or v·M/(M−1)). In evaluation μ and v are
    the running statistics. An empty batch leaves them as they are.

    Args:
        x: images (N, C, H, W), float32 or float64, in any memory order.
        gamma: scale γ (C,).
        beta: shift β (C,).
        running_mean: (C,).
        running_var: (C,), the unbiased variance, not negative.
        training: whether the batch is normalised by its own statistics.
        momentum: weight of this batch in the running statistics, 0 to 1.
        eps: added to the variance; with 0 a constant channel divides by zero.

    Returns:
        (y, running_mean, running_var), the statistics as new arrays, and the pullback dy → (dx, dgamma, dbeta)
        for dy of the shape of y. The running statistics take no part in the loss.

    Raises:
        ShapeError: ranks or channels that do not fit.
        DTypeError: integers, or dtypes that differ.
        OptionError: momentum or eps outside their domain.
        DataError: a negative running_var, or training on one entry a channel, whose variance says nothing.

    Example:
        >>> one, zero = np.ones(1), np.zeros(1)
        >>> x = np.array([1., 3.]).reshape(2, 1, 1, 1)
        >>> (y, mean, var), pullback = batch_norm2d(x, 2 * one, one, zero, one, training=True, eps=0)
        >>> y.ravel(), mean, var
        (array([-1.,  3.]), array([0.2]), array([1.1]))
        >>> dx, dgamma, dbeta = pullback(np.array([1., 0.]).reshape(2, 1, 1, 1))
        >>> dx.ravel(), dgamma, dbeta
        (array([0., 0.]), array([-1.]), array([1.]))

    Source: S. Ioffe and C. Szegedy, "Batch normalization" (2015), algorithms 1 and 2.
    """
    return _checked(x, gamma, beta, running_mean, running_var, training, momentum, eps, gated=False)


def batch_norm2d_relu(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[BatchNorm, Pullback]:
    """Normalise as ``batch_norm2d`` and cut off as ``relu``, to the same bits, without a pass for the second."""
    return _checked(x, gamma, beta, running_mean, running_var, training, momentum, eps, gated=True)


def _checked(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    training: bool,
    momentum: float,
    eps: float,
    *,
    gated: bool,
) -> tuple[BatchNorm, Pullback]:
    """Refuse what cannot be normalised, and normalise the rest, with a ReLU after it if it is ``gated``."""
    op = "batch_norm2d"
    x, gamma, beta, running_mean, running_var = floats(
        op, x=x, gamma=gamma, beta=beta, running_mean=running_mean, running_var=running_var
    )
    rank(op, "x", x, "(N, C, H, W)")
    per_channel = {"gamma": gamma, "beta": beta, "running_mean": running_mean, "running_var": running_var}
    for name, array in per_channel.items():
        shape(op, name, array, (x.shape[1],), f"{name} has one entry for each of the {x.shape[1]} channels of x")
    momentum = number(op, "momentum", momentum, 0.0, 1.0)
    eps = number(op, "eps", eps, 0.0, 1e30)

    training = flag(op, "training", training)
    if (running_var < 0).any():
        received = f"{running_var.min():g}"
        raise DataError(op, "a running_var that is not negative", received, "begin with ones, or repair the file")

    entries = x.shape[0] * x.shape[2] * x.shape[3]
    if training and entries == 1:
        remedy = "use a larger batch or image, or training=False"
        raise DataError(op, "at least 2 entries a channel in training", "1", remedy)
    training = training and x.size > 0
    twin = engines.twin(op)
    computed = (twin.forward if twin else _normalise)(
        x, gamma, beta, running_mean, running_var, training, momentum, eps, 0.0 if gated else -np.inf
    )
    y, mean, scale, running_mean, running_var = computed
    saved = Saved(x, mean, scale, gamma, training, beta if gated else None)
    return BatchNorm(y, running_mean, running_var), partial(batch_norm2d_backward, saved)


def _normalise(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    training: bool,
    momentum: float,
    eps: float,
    floor: float,
) -> tuple[Array, Array, Array, Array, Array]:
    """Return y, what it was made with: mean and 1/√(variance + eps), and the running statistics after it."""
    mean, var = running_mean, running_var
    if training:
        entries = x.size // x.shape[1]
        # Sums over a channel are long, and NumPy adds them one by one in some memory orders: add them in float64.
        mean = x.mean(axis=(0, 2, 3), dtype=np.float64).astype(x.dtype)
        var = x.var(axis=(0, 2, 3), dtype=np.float64).astype(x.dtype)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * (entries / (entries - 1))
    scale = 1 / np.sqrt(var + eps)
    y = np.maximum(_affine(_normalised(x, mean, scale), gamma, beta), floor)
    return y, mean.copy(), scale, running_mean.copy(), running_var.copy()


def _normalised(x: Array, mean: Array, scale: Array) -> Array:
    """Return x̂."""
    return (x - mean[:, None, None]) * scale[:, None, None]


def _affine(normalised: Array, gamma: Array, beta: Array) -> Array:
    """Return γ·x̂ + β."""
    return gamma[:, None, None] * normalised + beta[:, None, None]


def batch_norm2d_backward(saved: Saved, dy: Array) -> tuple[Array, Array, Array]:
    """Carry dy (N, C, H, W) back, in training also through the mean and the variance.

        dbeta[c]  = Σ dy          dgamma[c] = Σ dy·x̂                    (sums over n, a, b)
        dx        = γ/√(v + eps) · (dy − dbeta/M − x̂·dgamma/M)          in training
        dx        = γ/√(v + eps) · dy                                   in evaluation

    The second term is what flows through the mean, the third what flows through the variance. Where a ReLU
    followed, dy is first cut to what its gate lets through.
    """
    x, mean, scale, gamma, training, beta = saved
    dy = cotangent("batch_norm2d" if beta is None else "relu", dy, x.shape, x.dtype)
    twin = engines.twin("batch_norm2d")
    if twin:
        return twin.backward(*saved, dy)
    normalised = _normalised(x, mean, scale)
    if beta is not None:
        dy = np.where(_affine(normalised, gamma, beta) > 0, dy, dy.dtype.type(0))
    dbeta = dy.sum(axis=(0, 2, 3), dtype=np.float64).astype(dy.dtype)
    dgamma = (dy * normalised).sum(axis=(0, 2, 3), dtype=np.float64).astype(dy.dtype)
    dx = dy
    if training:
        entries = dy.size // dy.shape[1]
        dx = dy - dbeta[:, None, None] / entries - normalised * (dgamma[:, None, None] / entries)
    return dx * (gamma * scale)[:, None, None], dgamma, dbeta
