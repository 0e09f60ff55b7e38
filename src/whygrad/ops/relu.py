"""The rectified linear unit: a gate that is open where its input is positive."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    y: Array  #: positive where x was


def relu(x: Array) -> tuple[Array, Pullback]:
    """Cut negative entries off: y = max(x, 0).

    The derivative is 1 for x > 0 and 0 for x < 0; at the kink x = 0 it is 0 here, as in PyTorch.

    Args:
        x: any shape, float32 or float64.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.

    Example:
        >>> y, pullback = relu(np.array([-2., 0., 3.]))
        >>> y
        array([0., 0., 3.])
        >>> pullback(np.array([5., 6., 7.]))
        array([0., 0., 7.])

    Source: V. Nair and G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines" (2010).
    """
    (x,) = floats("relu", x=x)
    return relu_for(x)


def relu_for(x: Array) -> tuple[Array, Pullback]:
    """Return ``relu`` of a float array."""
    twin = engines.twin("relu")
    y = twin.forward(x) if twin else np.maximum(x, 0)
    return y, partial(relu_backward, Saved(y))


def relu_backward(saved: Saved, dy: Array) -> Array:
    """Let dy through where the gate is open: dx = dy where x > 0, else 0."""
    (y,) = saved
    dy = cotangent("relu", dy, y.shape, y.dtype)
    twin = engines.twin("relu")
    return twin.backward(y, dy) if twin else np.where(y > 0, dy, y.dtype.type(0))
