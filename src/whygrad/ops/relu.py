"""The rectified linear unit: a gate that is open where its input is positive."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    is_open: npt.NDArray[np.bool_]  #: where x > 0
    dtype: np.dtype[Any]


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
    return np.maximum(x, 0), partial(relu_backward, Saved(x > 0, x.dtype))


def relu_backward(saved: Saved, dy: Array) -> Array:
    """Let dy through where the gate is open: dx = dy where x > 0, else 0."""
    dy = cotangent("relu", dy, saved.is_open.shape, saved.dtype)
    return np.where(saved.is_open, dy, saved.dtype.type(0))
