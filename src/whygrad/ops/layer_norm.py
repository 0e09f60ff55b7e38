"""Layer normalisation: every sample to mean 0 and variance 1, then scaled and shifted."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats, number, shape


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    normalised: Array  #: x̂, in the shape of x
    scale: Array  #: 1/√(variance + eps), in the shape of x with the normalised axes of size 1
    gamma: Array


def layer_norm(x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5) -> tuple[Array, Pullback]:
    """Normalise each sample over its last axes, as many as ``gamma`` has.

        x̂ = (x − μ) / √(v + eps)          y = γ·x̂ + β

    with μ and v the mean and variance over the M entries of those axes.

    Args:
        x: (N, ..., D), float32 or float64.
        gamma: scale γ, in the shape of the last axes of x.
        beta: shift β, likewise.
        eps: added to the variance; with 0 a constant sample divides by zero.

    Returns:
        y in the shape of x and the pullback dy → (dx, dgamma, dbeta).

    Raises:
        ShapeError: gamma or beta that are not of the shape of the last axes of x.
        DTypeError: integers, or dtypes that differ.
        OptionError: eps outside its domain.

    Example:
        >>> y, pullback = layer_norm(np.array([[1., 3.]]), np.array([1., 2.]), np.zeros(2), eps=0)
        >>> y
        array([[-1.,  2.]])
        >>> dx, dgamma, dbeta = pullback(np.array([[1., 1.]]))
        >>> dgamma, dbeta
        (array([-1.,  1.]), array([1., 1.]))

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization" (2016), arXiv:1607.06450.
    """
    x, gamma, beta = floats("layer_norm", x=x, gamma=gamma, beta=beta)
    last = x.shape[x.ndim - gamma.ndim :] if 0 < gamma.ndim < x.ndim else None
    if gamma.shape != last or not gamma.size:
        expected = f"gamma of the shape of the last axes of x {x.shape}, without the batch axis"
        raise ShapeError("layer_norm", expected, f"{gamma.shape}", "give gamma one entry for each feature")
    shape("layer_norm", "beta", beta, gamma.shape, "beta has the shape of gamma")
    eps = number("layer_norm", "eps", eps, 0.0, 1e30)
    twin = engines.twin("layer_norm")
    if twin:
        y, normalised, scale = twin.forward(x, gamma, beta, eps)
    else:
        axes = tuple(range(x.ndim - gamma.ndim, x.ndim))
        scale = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
        normalised = (x - x.mean(axis=axes, keepdims=True)) * scale
        y = gamma * normalised + beta
    return y, partial(layer_norm_backward, Saved(normalised, scale, gamma))


def layer_norm_backward(saved: Saved, dy: Array) -> tuple[Array, Array, Array]:
    """Carry dy back through the mean and the variance of each sample.

    dbeta = Σ dy          dgamma = Σ dy·x̂                           (sums over the samples)
    dx    = (g − mean(g) − x̂·mean(g·x̂)) / √(v + eps),  g = γ·dy     (means over the normalised axes)
    """
    normalised, scale, gamma = saved
    dy = cotangent("layer_norm", dy, normalised.shape, normalised.dtype)
    twin = engines.twin("layer_norm")
    if twin:
        return twin.backward(normalised, scale, gamma, dy)
    samples = tuple(range(dy.ndim - gamma.ndim))
    axes = tuple(range(dy.ndim - gamma.ndim, dy.ndim))
    g = gamma * dy
    through_mean = g.mean(axis=axes, keepdims=True)
    through_variance = normalised * (g * normalised).mean(axis=axes, keepdims=True)
    dx = (g - through_mean - through_variance) * scale
    return dx, (dy * normalised).sum(axis=samples), dy.sum(axis=samples)
