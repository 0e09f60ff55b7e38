"""Anyone's gradient, in whatever form it comes: a pullback, a backward function, a gradient function, arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whygrad.checking.functions import Arrays, Evaluated, Function, called, is_number_list, parameters
from whygrad.errors import CheckError, OptionError
from whygrad.typing import Array

#: Names that people give to the gradient that comes from above.
_COTANGENTS = {
    "g", "gy", "gz", "dy", "dz", "da", "dh", "dl", "dout", "doutput", "d_out", "d_output", "delta", "err", "error",
    "upstream", "cotangent", "grad", "gradient", "grad_out", "grad_output", "out_grad", "output_grad",
}  # fmt: skip
_CACHES = {"cache", "saved", "ctx", "tape", "memory", "state"}


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
    if isinstance(result, tuple | list) and not (len(names) == 1 and is_number_list(list(result))):
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
