"""What clipping's value and gradient are: x where it lies between the bounds, else a bound."""

from __future__ import annotations

from math import inf, isnan

from whygrad.explanation.terms.pointwise import of, pointwise
from whygrad.explanation.terms.rule import Call, Factor, Index, Term


def _bounds(call: Call) -> tuple[float, float]:
    return float(call.options.get("low", -inf)), float(call.options.get("high", inf))


def _value(call: Call, x: Factor) -> list[Factor]:
    low, high = _bounds(call)
    if x.value <= low or x.value >= high or low > high:
        return [of(f"min(max({{0}}, {low:.6g}), {high:.6g})", min(max(x.value, low), high), x)]
    return [x]


def _slope(call: Call, x: Factor, y: Factor) -> list[tuple[Factor, ...]]:
    del y
    low, high = _bounds(call)
    return [(of(f"[{low:.6g} < {{0}} < {high:.6g}]", float(low < x.value < high), x),)]


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del terms
    low, high = _bounds(call)
    x = float(call.inputs["x"][index])
    if isnan(x):
        return "x is not a number."
    return "x lies between the bounds: dy passes." if low < x < high else "x was cut off: nothing passes."


RULES = pointwise(
    "y = min(max(x, low), high)",
    "dx = dy·[low < x < high]",
    value=_value,
    slope=_slope,
    words=_words,
    where="low and high are the bounds",
)
