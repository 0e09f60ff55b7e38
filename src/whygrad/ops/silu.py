"""The sigmoid linear unit, also called swish: x gated by its own sigmoid."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from whygrad import engines
from whygrad.ops.sigmoid import logistic
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    x: Array


def silu(x: Array) -> tuple[Array, Pullback]:
    """Gate x by its sigmoid: y = x·σ(x), with derivative σ(x)(1 + x(1 − σ(x))).

    Args:
        x: any shape, float32 or float64.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.

    Example:
        >>> y, pullback = silu(np.array([-1., 0., 1.]))
        >>> y.round(4)
        array([-0.2689,  0.    ,  0.7311])
        >>> pullback(np.ones(3)).round(4)
        array([0.0723, 0.5   , 0.9277])

    Source: S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning" (2017), equations 6 and 7.
    """
    (x,) = floats("silu", x=x)
    twin = engines.twin("silu")
    y = twin.forward(x) if twin else x * logistic(x)
    return y, partial(silu_backward, Saved(x))


def silu_backward(saved: Saved, dy: Array) -> Array:
    """Multiply by the slope: dx = dy · σ(x)(1 + x(1 − σ(x)))."""
    (x,) = saved
    dy = cotangent("silu", dy, x.shape, x.dtype)
    twin = engines.twin("silu")
    if twin:
        return twin.backward(x, dy)
    gate = logistic(x)
    return dy * gate * (1 + x * (1 - gate))
