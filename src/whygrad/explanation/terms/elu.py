"""What an ELU's value and gradient are."""

from __future__ import annotations

import math

from whygrad.explanation.terms.pointwise import of, pointwise
from whygrad.explanation.terms.rule import Call, Factor, number


def _alpha(call: Call) -> Factor:
    return number(float(call.options.get("alpha", 1.0)))


def _value(call: Call, x: Factor) -> tuple[Factor, ...]:
    if x.value > 0:
        return (x,)
    return _alpha(call), of("(e^({0}) - 1)", math.expm1(x.value), x)


def _slope(call: Call, x: Factor, y: Factor) -> list[tuple[Factor, ...]]:
    del y
    if x.value > 0:
        return [(of("[{0} > 0]", 1.0, x),)]
    return [(_alpha(call), of("e^({0})", math.exp(x.value), x))]


RULES = pointwise(
    "y = (x if x > 0 else α·(e^(x) − 1))", "dx = dy·(1 if x > 0 else α·e^(x))", value=_value, slope=_slope
)
