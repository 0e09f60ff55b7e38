"""Anyone's functions, in whatever form they come: called in one way, and their mistakes named."""

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
#: Names that people give to the gradient that comes from above.
_COTANGENTS = {
    "dy",
    "dout",
    "dz",
    "da",
    "dh",
    "dl",
    "g",
    "gy",
    "gz",
    "grad",
    "delta",
    "upstream",
    "cotangent",
    "error",
}
_COTANGENTS |= {
    "grad_output",
    "grad_out",
    "output_grad",
    "out_grad",
    "d_out",
    "d_output",
    "doutput",
    "gradient",
    "err",
}
_CACHES = {"cache", "saved", "ctx", "tape", "memory", "state"}


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
        several = inputs if isinstance(inputs, tuple | list) and not _is_number_list(inputs) else (inputs,)
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


def _is_number_list(inputs: Sequence[Any]) -> bool:
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


class Backward:
    """The gradient that is claimed: a pullback, a backward function, a gradient function, or arrays.

    Args:
        given: what the user passed; None if f returns it.
        function: the function that is differentiated.
        first: what f returned at the point.
    """

    def __init__(self, given: Any, function: Function, first: Evaluated) -> None:
        self.function, self.given = function, given
        self.scalar = np.ndim(first.y) == 0
        if given is None and first.second is None:
            remedy = "pass it second, check_gradient(f, backward, inputs), or let f return (y, pullback)"
            raise OptionError("check_gradient", "a pullback or a gradient", "none", remedy)
        source = first.second if given is None else given
        self.callable = callable(source)
        #: Whether it gives gradients at other inputs as well.
        self.again = given is None or self.callable
        self.takes_cotangent, self.order = self._arguments(first)

    def _arguments(self, first: Evaluated) -> tuple[bool, list[str]]:
        """Return whether there is a cotangent among the arguments, and their order: "dy", "cache" or an input."""
        if not self.callable:
            return False, []
        taken = parameters(self.given) if self.given is not None else ["dy"]
        if taken is None:
            return (False, list(self.function.names)) if self.scalar else (True, ["dy"])
        cached = first.second is not None and not callable(first.second)
        if cached and len(taken) <= 2:
            return _with_cache(taken)
        order = self._gradient_arguments(taken)
        return (False, order) if order is not None else (True, self._pullback_arguments(taken))

    def _gradient_arguments(self, taken: list[str]) -> list[str] | None:
        """Return the order of the arguments of a gradient function; None if it takes a cotangent."""
        names = list(self.function.names)
        upstream = bool(taken) and not set(taken) <= set(names) and _takes_cotangent(taken, names)
        if self.function.mapping and len(taken) == 1 and not upstream:
            return ["mapping"] if self.scalar else None
        alone = len(taken) == 1 and not self.scalar and taken != names
        return names if len(taken) == len(names) and not upstream and not alone else None

    def _pullback_arguments(self, taken: list[str]) -> list[str]:
        """Return the order of the arguments of a pullback or a backward function."""
        names = list(self.function.names)
        if len(taken) <= 1:
            return ["dy"][: len(taken)]
        if self.function.mapping and len(taken) == 2:
            return ["mapping", "dy"] if taken[1].lower() in _COTANGENTS else ["dy", "mapping"]
        if len(taken) == len(names) + 1:
            return _with_inputs(taken, names)
        listed = ", ".join(names)
        raise OptionError(
            "the backward function",
            f"(dy), (dy, {listed}) or ({listed})",
            f"({', '.join(taken)})",
            "let it take these, or wrap it: lambda dy: backward(dy, ...)",
        )

    def __call__(self, arrays: Arrays, dy: Any) -> dict[str, Any]:
        """Return the claimed gradients by name; None where there is none.

        f is run first, since a backward pass may rely on what it left behind.

        Raises:
            CheckError: the function fails, or does not return one gradient for each input.
        """
        evaluated = self.function(arrays)
        source = evaluated.second if self.given is None else self.given
        if not self.callable:
            return by_name(source, self.function.names)
        values = {**arrays, "dy": dy, "cache": evaluated.second, "mapping": dict(arrays)}
        what = "the gradient" if not self.takes_cotangent else "the pullback"
        return by_name(called(what, source, *(values[name] for name in self.order)), self.function.names)


def _takes_cotangent(taken: list[str], names: list[str]) -> bool:
    """Return whether the first or the last argument is named like what comes from above, and like no input."""
    return any(name.lower() in _COTANGENTS and name not in names for name in (taken[0], taken[-1]))


def _with_cache(taken: list[str]) -> tuple[bool, list[str]]:
    """Return the order of dy and the cache that f returned."""
    if len(taken) < 2:
        lone = taken and taken[0].lower() not in _COTANGENTS and taken[0].lower() in _CACHES
        return (False, ["cache"]) if lone else (True, ["dy"][: len(taken)])
    swapped = taken[0].lower() in _CACHES or taken[1].lower() in _COTANGENTS
    return True, ["cache", "dy"] if swapped else ["dy", "cache"]


def _with_inputs(taken: list[str], names: list[str]) -> list[str]:
    """Return the order of dy and the inputs: by their names if these are f's, dy first if nothing tells."""
    others = [name for name in taken if name not in names]
    if len(others) == 1:
        return ["dy" if name == others[0] else name for name in taken]
    last = taken[-1].lower() in _COTANGENTS and taken[0].lower() not in _COTANGENTS
    return [*names, "dy"] if last else ["dy", *names]


def by_name(result: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return gradients by the names of the inputs.

    Raises:
        CheckError: there are fewer or more than inputs, or none at all.

    Example:
        >>> by_name((1.0, None), ["x", "w"])
        {'x': 1.0, 'w': None}
    """
    wanted = f"a gradient for each of {', '.join(names)}"
    remedy = "return them in the order of the inputs, None for one without a gradient"
    if result is None:
        raise CheckError("the pullback", wanted, "None", "is there no return?")
    if isinstance(result, Mapping):
        found = {_input_of(str(key), names): value for key, value in result.items()}
        unknown = [key for key in found if key not in names]
        if unknown:
            raise CheckError("the pullback", wanted, f"one for {', '.join(unknown)}", "use the names of the inputs")
        return {name: found.get(name) for name in names}
    if isinstance(result, tuple | list) and not (len(names) == 1 and _is_number_list(list(result))):
        given = list(result)
        while len(given) > len(names) and given[-1] is None:  # for an optional input that is not there
            given.pop()
        if len(given) != len(names):
            raise CheckError("the pullback", wanted, f"{len(result)} gradients", remedy)
        return dict(zip(names, given, strict=True))
    if len(names) > 1:
        raise CheckError("the pullback", wanted, "one array", remedy)
    return {names[0]: result}


def _input_of(key: str, names: Sequence[str]) -> str:
    """Return which input a gradient's name means: "w", "dw" and "d_w" are the gradient of w."""
    plain = key.removeprefix("d").removeprefix("_")
    return plain if key not in names and plain in names else key


def as_gradient(value: Any) -> Array:
    """Return a gradient as an array of float64.

    Raises:
        CheckError: it is made of something else than real numbers.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise CheckError(
            "the pullback", "arrays of real numbers", f"{array.dtype}", "return an array for each input"
        )
    return array.astype(np.float64)
