"""The Gaussian error linear unit: x times the chance that a normal variable lies below x."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError
from whygrad.typing import Array, Pullback
from whygrad.validation import cotangent, floats

_erfc = np.frompyfunc(math.erfc, 1, 1)
# Beyond these the unit is x or 0 to the last bit, and squares and cubes of x would only overflow.
_FLAT_EXACT, _FLAT_TANH = 40.0, 10.0


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    slope: Array  #: dy/dx at x


def gelu(x: Array, *, approximate: Literal["none", "tanh"] = "none") -> tuple[Array, Pullback]:
    """Weigh x by the normal distribution function Φ.

        exact:  y = x·Φ(x),   Φ(x) = ½ erfc(−x/√2),   dy/dx = Φ(x) + x·φ(x),   φ(x) = e^(−x²/2) / √(2π)
        tanh:   y = ½x(1 + tanh u),   u = √(2/π)(x + 0.044715x³),   dy/dx = ½(1 + tanh u) + ½x(1 − tanh² u)·u′

    Args:
        x: any shape, float32 or float64.
        approximate: "none" for the exact unit, "tanh" for the approximation of the paper.

    Returns:
        y in the shape of x and the pullback dy → dx.

    Raises:
        DTypeError: integers.
        OptionError: another name for the approximation.

    Example:
        >>> y, pullback = gelu(np.array([-1., 0., 1.]))
        >>> y.round(4)
        array([-0.1587,  0.    ,  0.8413])
        >>> pullback(np.ones(3)).round(4)
        array([-0.0833,  0.5   ,  1.0833])

    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units" (2016), arXiv:1606.08415, section 2.
    """
    (x,) = floats("gelu", x=x)
    if approximate not in ("none", "tanh"):
        raise OptionError("gelu", 'approximate "none" or "tanh"', f"{approximate!r}", "change approximate")
    twin = engines.twin("gelu")
    if twin:
        y, slope = twin.forward(x, approximate)
    else:
        weight, bend = _exact(x) if approximate == "none" else _tanh(x)
        y, slope = x * weight, weight + bend
    return y, partial(gelu_backward, Saved(slope))


def gelu_backward(saved: Saved, dy: Array) -> Array:
    """Multiply by the slope: dx = dy · dy/dx."""
    (slope,) = saved
    dy = cotangent("gelu", dy, slope.shape, slope.dtype)
    twin = engines.twin("gelu")
    return twin.backward(slope, dy) if twin else dy * slope


def _exact(x: Array) -> tuple[Array, Array]:
    """Return Φ(x) and x·φ(x)."""
    x = np.clip(x, -_FLAT_EXACT, _FLAT_EXACT)
    weight = np.asarray(_erfc(-x.astype(np.float64) / math.sqrt(2)) / 2).astype(x.dtype)
    return weight, x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _tanh(x: Array) -> tuple[Array, Array]:
    """Return ½(1 + tanh u) and x times its derivative."""
    x = np.clip(x, -_FLAT_TANH, _FLAT_TANH)
    scale = math.sqrt(2 / math.pi)
    t = np.tanh(scale * (x + 0.044715 * x**3))
    return (1 + t) / 2, x * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x) / 2
