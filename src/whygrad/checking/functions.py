"""Anyone's function and its inputs, in whatever form they come: called in one way, its mistakes named."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from whygrad.errors import CheckError, OptionError
from whygrad.typing import Array

Arrays = Mapping[str, Any]


class Evaluated(NamedTuple):
    """What a function returned."""

    y: Any
    second: Any  #: a pullback, a cache or a gradient; None if there was but y


def named_inputs(f: Callable[..., Any], inputs: Any) -> tuple[dict[str, Array], bool]:
    """Return the inputs by name, and whether they were given by name. Arrays are not copied.

    Raises:
        OptionError: no inputs, or a masked array or matrix among them.

    Example:
        >>> named_inputs(lambda x, w: x @ w, (np.ones(2), np.ones(2)))[0].keys()
        dict_keys(['x', 'w'])
    """
    if isinstance(inputs, Mapping):
        given = {str(name): value for name, value in inputs.items()}
    else:
        several = inputs if isinstance(inputs, tuple | list) and not is_number_list(inputs) else (inputs,)
        names = parameters(f) or []
        named = len(names) >= len(several)
        given = {names[i] if named else f"input {i + 1}": value for i, value in enumerate(several)}
    if inputs is None or not given:
        remedy = 'pass them by name, {"x": x, "w": w}, or in order, (x, w)'
        raise OptionError("check_gradient", "the inputs at which to check", "none", remedy)
    return {name: _input(name, value) for name, value in given.items()}, isinstance(inputs, Mapping)


def _input(name: str, value: Any) -> Array:
    """Return an input as an array, refusing kinds with an arithmetic of their own."""
    if isinstance(value, np.ma.MaskedArray | np.matrix):
        kind = "masked array" if isinstance(value, np.ma.MaskedArray) else "matrix, whose * is a matrix product"
        remedy = f"pass {'its filled()' if isinstance(value, np.ma.MaskedArray) else 'np.asarray of it'}"
        raise OptionError("check_gradient", f"{name} as a plain NumPy array", f"a {kind}", remedy)
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def is_number_list(inputs: Sequence[Any]) -> bool:
    """Return whether something is a list of numbers: one array, and not several."""
    return isinstance(inputs, list) and all(isinstance(value, int | float) for value in inputs)


def parameters(function: Any) -> list[str] | None:
    """Return the names of the positional parameters that must be given; None where Python cannot tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    listed = signature.parameters.values()
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in listed):
        return None
    return [p.name for p in listed if p.kind in kinds and p.default is inspect.Parameter.empty]


class Function:
    """The function that is differentiated.

    Args:
        f: takes the inputs in order, by name, or all in one mapping, and returns y or (y, something).
        names: of the inputs.
        by_name: whether they were given by name.
    """

    def __init__(self, f: Callable[..., Any], names: Sequence[str], *, by_name: bool) -> None:
        self.f, self.names, self.calls = f, list(names), 0
        taken = parameters(f)
        self.keywords = by_name and _takes_names(f, self.names)
        #: Whether f takes all inputs in one mapping; a single input under another name may be either.
        self.mapping = by_name and not self.keywords and taken is not None and len(taken) <= 1

    def __call__(self, arrays: Arrays, on_float_error: Literal["ignore", "raise"] = "ignore") -> Evaluated:
        """Return what f returns.

        Raises:
            CheckError: f fails or returns nothing that can be differentiated.
        """
        self.calls += 1
        with np.errstate(all=on_float_error, under="ignore"):
            result = self._call(arrays)
        y, second = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
        if y is None:
            raise CheckError("f", "a number or an array", "None", "let f return its value: is there no return?")
        array = _as_array(y)
        if array.dtype.kind not in "fciub":
            remedy = "return one array, (y, pullback), (y, cache) or (loss, gradient)"
            raise CheckError("f", "a number or an array of numbers", _kind(y), remedy)
        return Evaluated(array, second)

    def _call(self, arrays: Arrays) -> Any:
        if self.keywords:
            return called("f", self.f, **arrays)
        if self.mapping:
            try:
                return called("f", self.f, dict(arrays))
            except CheckError:
                if len(self.names) > 1 or self.calls > 1:
                    raise
                self.mapping = False
        return called("f", self.f, *arrays.values())


def _as_array(value: Any) -> Any:
    try:
        return np.asarray(value)
    except ValueError:  # rows of unlike lengths
        return np.array(None)


def _takes_names(f: Callable[..., Any], names: Sequence[str]) -> bool:
    try:
        inspect.signature(f).bind(**dict.fromkeys(names))
    except (TypeError, ValueError):
        return False
    return True


def called(what: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a user's function.

    Raises:
        CheckError: it raises; the text says what and in which line.
    """
    try:
        return function(*arguments, **named)
    except CheckError:
        raise
    except (Exception, SystemExit) as error:
        where = _line(error)
        shapes = ", ".join(str(np.shape(a)) for a in (*arguments, *named.values()) if not isinstance(a, Mapping))
        remedy = f"it was called with arrays of shape {shapes}" if shapes else "call it alone to see why"
        received = f"{type(error).__name__}: {' '.join(str(error).split())}{where}"
        raise CheckError(what, "a value", received, remedy) from error


def _line(error: BaseException) -> str:
    """Return where a user's function failed."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not {"site-packages", "whygrad"} & set(Path(frame.filename).parts)]
    return f" (line {theirs[-1].lineno} of {Path(theirs[-1].filename).name})" if theirs else ""


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"{type(value).__name__}"
