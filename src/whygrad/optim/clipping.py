"""Clipping: gradients that are too large cut down to size, and what was cut reported.

NaN and infinity are refused: clipped they would look like ordinary gradients, and their cause would be
hidden.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import NonFiniteError, inside
from whygrad.typing import Array, Params
from whygrad.validation import floats, number

_TINY = 1e-270  #: sums of squares below may lack some that vanished


class Clipped(NamedTuple):
    """What a clipping did."""

    norm: float  #: √Σg² over all entries of all gradients before it; inf where float64 cannot hold it
    entries: int  #: how many entries it changed
    total: int  #: how many entries there are
    factor: float  #: what all entries were multiplied by; 1.0 if they were not


def clip_by_value(gradients: Params, limit: float) -> tuple[dict[str, Array], Clipped]:
    """Cut every entry to the interval from −limit to limit: g ← min(max(g, −limit), limit).

    This changes the direction of the gradient; ``clip_by_global_norm`` keeps it.

    Args:
        gradients: by name, float32 or float64, any shapes; there may be none.
        limit: not negative; infinity cuts nothing.

    Returns:
        The gradients, those without a cut as the arrays they are, and what was done, with factor 1.0.

    Raises:
        NonFiniteError: NaN or infinity in a gradient.
        DTypeError: a gradient that is neither float32 nor float64.
        OptionError: a limit that is negative or NaN.

    Example:
        >>> gradients, clipped = clip_by_value({"w": np.array([3., -4.]), "b": np.array([0.])}, 3.5)
        >>> gradients["w"]
        array([ 3. , -3.5])
        >>> clipped
        Clipped(norm=5.0, entries=1, total=3, factor=1.0)

    Source: T. Mikolov, "Statistical language models based on neural networks" (2012).
    """
    where = "clip_by_value"
    limit = number(where, "limit", limit, 0.0, math.inf)
    checked, largest, relative = _measured(where, gradients)
    result, entries = dict(checked), 0
    for name, g in checked.items():
        bound = min(limit, float(np.finfo(g.dtype).max))
        if cut := int(np.count_nonzero(np.abs(g) > bound)):
            result[name], entries = np.asarray(np.clip(g, -bound, bound)), entries + cut
    return result, Clipped(largest * relative, entries, sum(g.size for g in checked.values()), 1.0)


def clip_by_global_norm(gradients: Params, max_norm: float) -> tuple[dict[str, Array], Clipped]:
    """Shorten all gradients together until their common norm is at most ``max_norm``.

        norm = √Σg²  over all entries of all gradients          g ← g · min(1, max_norm / norm)

    The direction stays. The norm is taken in float64 relative to the largest entry, so that no square
    overflows or vanishes.

    Args:
        gradients: by name, float32 or float64, any shapes; there may be none.
        max_norm: not negative; infinity shortens nothing and reports the norm.

    Returns:
        The gradients, all of them as the arrays they are if none had to be shortened, and what was done.

    Raises:
        NonFiniteError: NaN or infinity in a gradient.
        DTypeError: a gradient that is neither float32 nor float64.
        OptionError: a norm that is negative or NaN.

    Example:
        >>> gradients, clipped = clip_by_global_norm({"w": np.array([3., 0.]), "b": np.array([4.])}, 1.0)
        >>> gradients["w"], gradients["b"]
        (array([0.6, 0. ]), array([0.8]))
        >>> clipped
        Clipped(norm=5.0, entries=2, total=3, factor=0.2)

    Source: R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks"
    (2013), algorithm 1. PyTorch's clip_grad_norm_ divides by norm + 1e-6 instead.
    """
    where = "clip_by_global_norm"
    max_norm = number(where, "max_norm", max_norm, 0.0, math.inf)
    checked, largest, relative = _measured(where, gradients)
    norm, total = largest * relative, sum(g.size for g in checked.values())
    if not largest or max_norm / largest >= relative:
        return checked, Clipped(norm, 0, total, 1.0)
    length = max_norm / relative  # of the largest entry afterwards: unlike the norm it cannot overflow
    factor, twin, entries = length / largest, engines.twin("clipping"), 0
    if twin and (factor > _TINY or not length):
        result: dict[str, Array] = {}
        for name, g in checked.items():
            result[name], changed = twin.scaled(g, factor)
            entries += changed
        return result, Clipped(norm, entries, total, factor)
    with np.errstate(under="ignore"):
        result = {name: np.asarray(_over(g, largest) * length, g.dtype) for name, g in checked.items()}
    entries = sum(int(np.count_nonzero(result[name] != g)) for name, g in checked.items())
    return result, Clipped(norm, entries, total, factor)


def _measured(where: str, gradients: Params) -> tuple[dict[str, Array], float, float]:
    """Return the gradients, refusing NaN and infinity, a unit, and the norm in units of it, 0 if all are zeros.

    The unit is the norm itself where no square overflows or vanishes, else the largest |g|.
    """
    checked, twin = _floats(where, gradients), engines.twin("clipping")
    if twin and _TINY < (square := twin.sum_of_squares(checked.values())) < math.inf:
        return checked, math.sqrt(square), 1.0
    _require_finite(where, checked)
    return checked, *_norm(checked)


def _norm(gradients: Params) -> tuple[float, float]:
    """Return the largest |g| and the norm in units of it, both 0 if there is nothing but zeros."""
    largest = max((float(np.abs(g).max()) for g in gradients.values() if g.size), default=0.0)
    if not largest:
        return 0.0, 0.0
    with np.errstate(under="ignore"):
        return largest, math.sqrt(sum(float(np.square(_over(g, largest)).sum()) for g in gradients.values()))


def _over(g: Array, largest: float) -> Array:
    """Return g / largest in float64: no entry is above 1."""
    return np.divide(g, largest, dtype=np.float64)


def _require_finite(where: str, gradients: Params) -> None:
    """Refuse gradients that hold NaN or infinity."""
    for name, g in gradients.items():
        with inside(name):
            if bad := g.size - int(np.count_nonzero(np.isfinite(g))):
                received = f"{bad} of {g.size} entries NaN or infinite"
                raise NonFiniteError(
                    where, "finite gradients", received, "find their cause: clipping would hide it"
                )


def _floats(where: str, gradients: Params) -> dict[str, Array]:
    """Return the gradients as they are, refusing any of another kind."""
    checked: dict[str, Array] = {}
    for name, gradient in gradients.items():
        with inside(name):
            (checked[name],) = floats(where, gradient=gradient)
    return checked
