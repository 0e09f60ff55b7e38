"""Dropout: in training, units fall out at random and the others make up for them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, flag, floats, number


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    factor: Array  #: 0 where a unit fell out, 1/(1−p) where it stayed


def dropout(
    x: Array, *, p: float = 0.5, training: bool, rng: np.random.Generator | None = None
) -> tuple[Array, Pullback]:
    """Set entries to zero with probability p and divide the others by 1 − p.

        y = m·x / (1 − p),   m = 1 with probability 1 − p, else 0          in training
        y = x                                                             in evaluation

    Args:
        x: any shape, float32 or float64.
        p: the probability to fall out, from 0 to below 1.
        training: whether anything falls out.
        rng: where the mask is drawn from; needed in training unless p is 0.

    Returns:
        y in the shape of x and the pullback dy → dx, which uses the same mask every time.

    Raises:
        DTypeError: integers.
        OptionError: p outside its domain, or no generator in training.

    Example:
        >>> y, pullback = dropout(np.ones(6), p=0.5, training=True, rng=np.random.default_rng(0))
        >>> y
        array([2., 0., 0., 0., 2., 2.])
        >>> pullback(np.ones(6))
        array([2., 0., 0., 0., 2., 2.])

    Source: N. Srivastava et al., "Dropout" (2014), section 10, in the inverted form that needs no change in
    evaluation.
    """
    (x,) = floats("dropout", x=x)
    p = number("dropout", "p", p, 0.0, 1.0, open_high=True)
    if flag("dropout", "training", training) and p:
        if not isinstance(rng, np.random.Generator):
            remedy = "pass rng=np.random.default_rng(seed)"
            raise OptionError("dropout", "rng as a numpy.random.Generator in training", f"{rng!r}", remedy)
        drawn = rng.random(x.shape)
        twin = engines.twin("dropout")
        if twin:
            y, factor = twin.forward(x, drawn, p)
        else:
            factor = ((drawn >= p) / (1 - p)).astype(x.dtype)
            y = x * factor
    else:
        y, factor = x.copy(), np.ones_like(x)
    return y, partial(dropout_backward, Saved(factor))


def dropout_backward(saved: Saved, dy: Array) -> Array:
    """Apply the mask and the factor of the forward pass: dx = m·dy / (1 − p)."""
    (factor,) = saved
    dy = cotangent("dropout", dy, factor.shape, factor.dtype)
    twin = engines.twin("dropout")
    return twin.backward(factor, dy) if twin else dy * factor
