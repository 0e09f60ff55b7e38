"""What all initialisers share: their protocol, the fans of a weight, and what they refuse."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.typing import Array, Shape
from whygrad.validation import number, whole


class Initializer(Protocol):
    """Draws the first value of a parameter."""

    def __call__(self, rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike, /) -> Array:
        """Return a new array of ``shape`` and ``dtype``, drawing from nothing but ``rng``."""


def fans(shape: Shape, where: str = "fans") -> tuple[int, int]:
    """Return how many inputs feed one output of a weight, and how many outputs one input feeds.

        (F, D):               fan_in = D              fan_out = F
        (F, C/groups, R, S):  fan_in = C/groups·R·S   fan_out = F·R·S

    Args:
        shape: of the weight, at least two axes, none of size 0.
        where: what an error names as its place.

    Returns:
        (fan_in, fan_out).

    Raises:
        ShapeError: fewer than two axes, or an axis of size 0.
        OptionError: a shape that is not a tuple of whole numbers.

    Example:
        >>> fans((8, 3, 5, 5))
        (75, 200)

    Source: K. He et al., "Delving deep into rectifiers" (2015), section 2.2, n = k²·c of both passes.
    """
    check_shape(where, shape)
    if len(shape) < 2 or 0 in shape:
        expected = "a weight of shape (F, D) or (F, C/groups, R, S) without axes of size 0"
        raise ShapeError(where, expected, f"{shape}", "use zeros, constant, normal or uniform for other shapes")
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])


def cast(values: Any, dtype: np.dtype[Any]) -> Array:
    """Return the numbers drawn, which for the shape () are no array yet, in the dtype asked for."""
    return np.asarray(values).astype(dtype, copy=False)


def check(op: str, rng: np.random.Generator, shape: Shape, dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return the dtype, refusing what is no generator, no shape or no float."""
    if not isinstance(rng, np.random.Generator):
        raise OptionError(op, "rng as a numpy.random.Generator", f"{rng!r}", "pass np.random.default_rng(seed)")
    check_shape(op, shape)
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise DTypeError(op, "dtype float32 or float64", f"{kind}", "parameters are floats: change dtype")
    return kind


def check_shape(op: str, shape: Shape) -> None:
    """Refuse what is not a tuple of sizes."""
    if not isinstance(shape, tuple):
        raise OptionError(
            op, "shape as a tuple of whole numbers", f"{shape!r}", "write (3,) for one axis of size 3"
        )
    for axis, size in enumerate(shape):
        whole(op, f"shape[{axis}]", size, 0)


def finite(op: str, name: str, value: float) -> float:
    """Return ``value`` as a float, refusing NaN and infinity."""
    if abs(number(op, name, value, -math.inf, math.inf)) == math.inf:
        raise OptionError(op, f"{name} to be finite", f"{value!r}", f"change {name}")
    return float(value)
