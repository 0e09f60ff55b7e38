"""What every operation asks of its inputs before it computes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from whygrad.errors import DTypeError, OptionError, ShapeError
from whygrad.typing import Array, Pair, Shape

_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
FLOATS = (_SINGLE, _DOUBLE)


def floats(op: str, **arrays: Any) -> list[Array]:
    """Return the arrays in order, refusing anything but float32 or float64 of one kind.

    Integer images are refused instead of converted: 0..255 in place of 0..1 is a common cause of divergence,
    and only the caller knows the scale.
    """
    if ready(arrays.values()):
        return list(arrays.values())
    first = ""
    checked: list[Array] = []
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype not in FLOATS:
            raise DTypeError(
                op,
                f"{name} of dtype float32 or float64",
                f"{array.dtype}",
                f"convert it, for an image with {name}.astype(np.float32) / 255",
            )
        if checked and array.dtype != checked[0].dtype:
            raise DTypeError(
                op,
                f"all arrays of one dtype ({first} is {checked[0].dtype})",
                f"{name} of {array.dtype}",
                f"convert with {name}.astype(np.{checked[0].dtype})",
            )
        first = first or name
        checked.append(array if array.flags.aligned else array.copy())
    return checked


def ready(arrays: Iterable[Any]) -> bool:
    """Return whether all are aligned arrays of one float type, so that there is nothing left to ask."""
    kind = None
    for array in arrays:
        if type(array) is not np.ndarray or not array.flags.aligned:
            return False
        if kind is None:
            kind = array.dtype
            if kind is not _SINGLE and kind is not _DOUBLE:
                return False
        elif array.dtype is not kind:
            return False
    return True


def rank(op: str, name: str, array: Array, layout: str) -> None:
    """Refuse an array whose number of axes differs from that of ``layout``, written like ``"(N, C, H, W)"``."""
    wanted = _axes(layout)
    if array.ndim != wanted:
        remedy = f"reshape {name} to {wanted} axes"
        if layout == "(N, C, H, W)" and array.ndim in (2, 3):
            remedy = f"add the missing axes with {name}[{'None, None' if array.ndim == 2 else 'None'}]"
        elif array.ndim > wanted == 2:
            remedy = "flatten the axes after the first"
        raise ShapeError(op, f"{name} of shape {layout}", f"{array.shape}", remedy)


@cache
def _axes(layout: str) -> int:
    return sum(bool(letter.strip()) for letter in layout.strip("()").split(","))


def shape(op: str, name: str, array: Array, wanted: Shape, remedy: str) -> None:
    """Refuse an array whose shape is not ``wanted``."""
    if array.shape != wanted:
        raise ShapeError(op, f"{name} of shape {wanted}", f"{array.shape}", remedy)


def cotangent(op: str, dy: Array, wanted: Shape, dtype: np.dtype[Any]) -> Array:
    """Return ``dy`` in the dtype of the operation, refusing a shape other than that of the value."""
    if type(dy) is np.ndarray and dy.dtype is dtype and dy.shape == wanted and dy.flags.aligned:
        return dy
    dy = np.asarray(dy)
    if dy.dtype not in FLOATS:
        raise DTypeError(
            f"{op} backward", f"dy of dtype {dtype}", f"{dy.dtype}", f"convert with dy.astype(np.{dtype})"
        )
    shape(f"{op} backward", "dy", dy, wanted, "dy is the gradient with respect to the value and has its shape")
    return dy.astype(dtype, copy=not dy.flags.aligned)


def whole(op: str, name: str, value: Any, minimum: int, maximum: int = sys.maxsize) -> int:
    """Return ``value`` as an int, refusing what is not a whole number of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise OptionError(op, f"{name} to be a whole number of at least {minimum}", f"{value!r}", f"change {name}")
    if value > maximum:
        raise OptionError(op, f"{name} to be at most {maximum}", "a larger number", f"change {name}")
    return int(value)


def pair(op: str, name: str, value: Pair, minimum: int = 1) -> tuple[int, int]:
    """Return (vertical, horizontal) of an option that may be given as one number for both."""
    both = (value, value) if isinstance(value, int | np.integer) else value
    if not isinstance(both, tuple | list) or len(both) != 2:
        raise OptionError(op, f"{name} as a whole number or (vertical, horizontal)", f"{value!r}", f"change {name}")
    return whole(op, name, both[0], minimum), whole(op, name, both[1], minimum)


def number(op: str, name: str, value: float, low: float, high: float, *, open_high: bool = False) -> float:
    """Return ``value`` as a float in [low, high], or [low, high) with ``open_high``."""
    if type(value) is float and low <= value < high:
        return value
    good = not isinstance(value, bool) and isinstance(value, int | float | np.integer | np.floating)
    if not good or not low <= value <= high or (open_high and value == high):
        interval = f"[{low:g}, {high:g}{')' if open_high else ']'}"
        raise OptionError(op, f"{name} in {interval}", f"{value!r}", f"change {name}")
    return float(value)


def generator(op: str, seed: Any) -> np.random.Generator:
    """Return the random generator of a seed, refusing what is not a whole number of at least 0."""
    return np.random.default_rng(whole(op, "seed", seed, 0))


def flag(op: str, name: str, value: Any) -> bool:
    """Return ``value``, refusing what is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise OptionError(op, f"{name} to be True or False", f"{value!r}", f"change {name}")
    return bool(value)


def axis_of(op: str, axis: int, ndim: int) -> int:
    """Return a non-negative axis, refusing one that the array does not have."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -ndim <= axis < ndim:
        raise OptionError(op, f"axis from {-ndim} to {ndim - 1}", f"{axis!r}", "name an axis that the array has")
    return int(axis) % ndim
