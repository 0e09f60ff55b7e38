"""Gradients against finite differences: the definition of a derivative, evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.errors import DataError, NonFiniteError
from whygrad.typing import Array, Params


class Comparison(NamedTuple):
    """How the gradient with respect to one array compares with its finite differences."""

    name: str
    checked: int  #: entries compared
    entries: int  #: entries that the array has
    relative_error: float  #: largest difference, relative to the gradient's largest entry
    worst: tuple[int, ...]  #: index of that difference
    analytic: float  #: the gradient there
    numeric: float  #: the finite difference there


def compare(
    f: Callable[[Params], float],
    gradients: Params,
    inputs: Params,
    *,
    rng: np.random.Generator,
    entries: int | None = None,
    steps: Iterable[float] = (1e-3,),
    tolerance: float = 1e-7,
) -> list[Comparison]:
    """Compare the gradients of a scalar function with central differences in float64.

        ∂f/∂x ≈ (8·(f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h))) / 12h,   error O(h⁴) and about ε·|f|/h

    Args:
        f: takes a mapping like ``inputs`` and gives a number.
        gradients: what is claimed, by name, in the shapes of the inputs.
        inputs: where; float64 arrays. They are not written to.
        rng: chooses the entries.
        entries: how many entries of each array to compare; all if None.
        steps: values of h, tried in turn until one agrees. Smaller ones step back from a kink that a larger one
            crosses; a wrong gradient agrees with none of them.
        tolerance: the relative error at which a step agrees.

    Returns:
        One comparison for each gradient. Where the gradient is so small that the rounding of f drowns it, errors
        are relative to what the noise would make ``tolerance``.

    Raises:
        DataError: inputs that are not float64, in which finite differences mean little, or a gradient of another
            shape than its input.
        NonFiniteError: f is not finite.

    Example:
        >>> x = {"x": np.array([1.0, 2.0])}
        >>> rows = compare(lambda at: float((at["x"] ** 2).sum()), {"x": 2 * x["x"]}, x,
        ...                rng=np.random.default_rng(0))
        >>> rows[0].relative_error < 1e-10
        True

    Source: B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids" (1988), table 1.
    """
    value = f(inputs)
    if not np.isfinite(value):
        raise NonFiniteError("finite differences", "a finite value", f"{value}", "start from finite inputs")
    rows = []
    for name, gradient in gradients.items():
        x = inputs[name]
        if x.dtype != np.float64 or gradient.shape != x.shape:
            expected = f"{name} and its gradient as arrays of one shape, {name} in float64"
            received = f"{x.dtype} {x.shape} and {gradient.shape}"
            raise DataError("finite differences", expected, received, "convert with astype(np.float64)")
        chosen = np.arange(x.size)
        if entries is not None and entries < x.size:
            chosen = np.sort(rng.choice(x.size, entries, replace=False))
        scale = float(np.abs(gradient[np.isfinite(gradient)]).max(initial=0.0))
        worst = Comparison(name, len(chosen), x.size, 0.0, (), 0.0, 0.0)
        for flat in chosen:
            index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
            analytic = float(gradient[index])
            for h in steps:
                numeric = _derivative(f, inputs, name, index, h)
                noise = 20 * np.finfo(np.float64).eps * abs(value) / h
                error = _relative_error(analytic, numeric, max(scale, noise / tolerance))
                if error <= tolerance:
                    break
            if error > worst.relative_error or not worst.worst:
                worst = Comparison(name, len(chosen), x.size, error, index, analytic, numeric)
        rows.append(worst)
    return rows


def compare_pullback(
    function: Callable[[Params], tuple[Array, Callable[[Array], Any]]],
    inputs: Params,
    *,
    rng: np.random.Generator,
    step: float = 1e-3,
) -> list[Comparison]:
    """Compare a pullback with finite differences of Σ dy·y under a random cotangent dy.

    The cotangent is random because one of ones hides mistakes: through a softmax its true gradient is 0.

    Args:
        function: takes a mapping like ``inputs`` and gives a value and its pullback, whose results are in the
            order of the inputs.
        inputs: where; float64 arrays, further than 2·step from any kink.
        rng: draws the cotangent.
        step: the h of the differences.

    Returns:
        One comparison for each input.

    Example:
        >>> rows = compare_pullback(lambda at: (np.sin(at["x"]), lambda dy: dy * np.cos(at["x"])),
        ...                         {"x": np.linspace(0, 1, 5)}, rng=np.random.default_rng(0))
        >>> rows[0].checked, rows[0].relative_error < 1e-9
        (5, True)
    """
    y, pullback = function(inputs)
    dy = rng.normal(size=y.shape).astype(y.dtype)
    results = pullback(dy)
    results = results if isinstance(results, tuple) else (results,)
    gradients: Mapping[str, Array | None] = dict(zip(inputs, results, strict=False))
    missing = [name for name in inputs if gradients.get(name) is None]
    if missing:
        expected = f"a gradient for each of {', '.join(inputs)}"
        remedy = "return the gradients in the order of the inputs"
        raise DataError("finite differences", expected, f"none for {', '.join(missing)}", remedy)
    claimed = {name: np.asarray(gradients[name]) for name in inputs}
    return compare(lambda at: float((function(at)[0] * dy).sum()), claimed, inputs, rng=rng, steps=(step,))


def _relative_error(analytic: float, numeric: float, scale: float) -> float:
    """Return the difference relative to the gradient's scale; infinite for NaN."""
    difference = abs(analytic - numeric)
    if not np.isfinite(difference):
        return float("inf")
    return difference / max(scale, abs(numeric)) if difference else 0.0


def _derivative(f: Callable[[Params], float], inputs: Params, name: str, index: tuple[int, ...], h: float) -> float:
    def at(offset: float) -> float:
        moved = inputs[name].copy()
        moved[index] += offset
        return f({**inputs, name: moved})

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
