"""Why a check itself cannot be believed: what is wrong with how it is asked, before any gradient is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.checking.functions import Evaluated, Function
from whygrad.errors import CheckError
from whygrad.typing import Array

IGNORES_DY = "it does not depend on dy: a pullback multiplies what comes from above, dy, into every gradient"


def not_finite(inputs: Mapping[str, Any]) -> str | None:
    """Return which input is not finite, and where first."""
    for name, x in inputs.items():
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            index = [int(i) for i in np.argwhere(~np.isfinite(x))[0]]
            at = f" at {index}" if index else ""
            return f"the input {name} is not finite: {x[tuple(index)]}{at}; start from finite numbers"
    return None


def of_inputs(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return for each input that cannot be moved on its own why that is.

    Example:
        >>> x = np.ones(3)
        >>> list(of_inputs({"x": x, "y": x[1:], "z": x.copy(), "n": np.array([1, 2])}))
        ['y', 'n']
    """
    said: dict[str, str] = {}
    seen: dict[str, Any] = {}
    for name, x in inputs.items():
        shared = [other for other, array in seen.items() if x.size and np.shares_memory(x, array)]
        seen[name] = x
        if x.dtype.kind in "iub":
            remedy = (
                f"pass {name}.astype(np.float64); close over it if it is no input of the gradient, such as labels"
            )
            said[name] = f"{name} is {x.dtype}: whatever step is added to it is cut off again; {remedy}"
        elif x.dtype.kind != "f":
            said[name] = f"{name} is {x.dtype}, no array of real numbers; pass float64"
        elif x.size and any(stride == 0 and length > 1 for stride, length in zip(x.strides, x.shape, strict=True)):
            said[name] = f"entries of {name} share memory, as np.broadcast_to makes them: pass {name}.copy()"
        elif shared:
            said[name] = (
                f"{name} and {shared[0]} share memory: who changes one changes the other, and the gradient of each "
                f"alone is not that of both; pass {name}.copy(), or make them one input"
            )
    return said


def of_value(y: Any) -> str | None:
    """Return why a value cannot be differentiated."""
    if y.dtype.kind == "c":
        return "f gives complex numbers: only real functions can be checked; return the real part, or both apart"
    return None


def no_gradient(name: str, gradient: Array | None, expected: tuple[int, ...]) -> str:
    """Return what is wrong with a gradient that cannot be compared."""
    if gradient is None:
        return f"there is no gradient for {name}: None was returned in its place"
    received = gradient.shape
    said = f"the gradient of {name} has the shape {received}, and {name} has {expected}"
    if received == expected[::-1]:
        return f"{said}: transpose it"
    if int(np.prod(received)) == int(np.prod(expected)):
        return f"{said}: reshape it to that"
    if len(received) > len(expected):
        return f"{said}: sum over the axes that {name} does not have, over which it was broadcast"
    return f"{said}: there must be one number for each entry of {name}"


def no_one_objective(shape: tuple[int, ...], match: str | None) -> str:
    """Return that an array has no one gradient, and of which number the claimed one is."""
    of_what = f"it is the gradient of {match}" if match else "of which number it is the gradient nobody can tell"
    remedy = "return that number from f, or give a backward function that takes dy"
    return f"f gives an array of shape {shape}, and the gradient does not say of which number: {of_what}; {remedy}"


def writes(before: Mapping[str, Array], after: Mapping[str, Any], who: str) -> str | None:
    """Return which input a function has written to, with the first entry that changed."""
    for name, array in before.items():
        now = np.asarray(after[name])
        changed = ~((array == now) | (np.isnan(array) & np.isnan(now)) if array.dtype.kind == "f" else array == now)
        if np.any(changed):
            index = [int(i) for i in np.argwhere(changed)[0]] if array.ndim else []
            was, becomes = array[tuple(index)], now[tuple(index)]
            return (
                f"{who} writes to its input {name}: {name}{index or ''} was {was:.6g} and becomes {becomes:.6g}; "
                f"let it work on a copy"
            )
    return None


def restore(before: Mapping[str, Array], after: Mapping[str, Any]) -> None:
    """Give the caller's arrays back as they were."""
    for name, array in before.items():
        if after[name].flags.writeable:
            after[name][...] = array


def differs(first: Evaluated, second: Evaluated) -> str | None:
    """Return that two calls with the same inputs gave different values.

    Differences within rounding pass: sums by several threads may be made in another order.

    Raises:
        CheckError: values of different shapes.
    """
    same_shape(first.y, second.y)
    y, again = first.y.astype(np.float64), second.y.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where(np.isfinite(y) | np.isfinite(again), np.abs(y - again), 0.0)
    size = float(np.abs(y[np.isfinite(y)]).max(initial=0.0))
    precision = np.finfo(first.y.dtype).eps if first.y.dtype.kind == "f" else 0.0
    if not np.any(difference > 1e3 * precision * size):
        return None
    index = [int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape)]
    return (
        f"f is not deterministic: the same inputs gave {y[tuple(index)]:.6g} and then {again[tuple(index)]:.6g}"
        f"{f' at {index}' if index else ''}; make random generators inside f, from a fixed seed "
        "(rng = np.random.default_rng(0)), and keep no state from call to call"
    )


def same_shape(y: Any, again: Any) -> None:
    """Refuse a value of another shape than before.

    Raises:
        CheckError: the shapes differ.
    """
    if np.shape(y) != np.shape(again):
        remedy = "its shape must follow from the shapes of the inputs, not from their numbers or from earlier calls"
        raise CheckError("f", f"values of one shape, {np.shape(y)} as at first", f"{np.shape(again)}", remedy)


def first_float_error(function: Function, arrays: Mapping[str, Array]) -> str:
    """Return which operation of f first gave something that is not finite, with its line.

    NumPy is told to raise where it would otherwise go on with NaN or infinity.
    """
    try:
        function(arrays, on_float_error="raise")
    except CheckError as error:
        if isinstance(error.__cause__, FloatingPointError):
            what = error.received.removeprefix("FloatingPointError: ")
            return f"f is not finite here; the first operation that is not: {what}"
    return "f is not finite here, though its inputs are"
