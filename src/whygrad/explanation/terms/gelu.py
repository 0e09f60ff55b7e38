"""What a GELU's value and gradient are, in its exact form and in that of the tanh."""

from __future__ import annotations

import math

from whygrad.explanation.terms.pointwise import of, pointwise
from whygrad.explanation.terms.rule import Call, Factor, number

_SCALE, _CUBIC = math.sqrt(2 / math.pi), 0.044715
#: Beyond this the approximation is x or 0 to the last bit.
_FLAT = 40.0


def _is_exact(call: Call) -> bool:
    return call.options.get("approximate", "none") == "none"


def _weight(call: Call, x: Factor) -> Factor:
    if _is_exact(call):
        return of("Φ({0})", math.erfc(-x.value / math.sqrt(2)) / 2, x)
    return of("(1 + tanh(u({0})))/2", (1 + math.tanh(_u(x.value))) / 2, x)


def _u(x: float) -> float:
    x = min(max(x, -_FLAT), _FLAT)
    return _SCALE * (x + _CUBIC * x**3)


def _bend(call: Call, x: Factor) -> tuple[Factor, ...]:
    """Return the factors of the second part of the slope."""
    at = min(max(x.value, -_FLAT), _FLAT)
    if _is_exact(call):
        return x, of("φ({0})", math.exp(-at * at / 2) / math.sqrt(2 * math.pi), x)
    t = math.tanh(_u(at))
    bend = of("(1 - tanh(u({0}))^2)", (1 - t) * (1 + t), x)
    return number(0.5, "1/2"), x, bend, of("u′({0})", _SCALE * (1 + 3 * _CUBIC * at * at), x)


RULES = pointwise(
    "y = x·Φ(x)",
    "dx = dy·Φ(x) + dy·x·φ(x)",
    value=lambda call, x: (x, _weight(call, x)),
    slope=lambda call, x, y: [(_weight(call, x),), _bend(call, x)],
    where='Φ and φ are the normal distribution and its density; approximate="tanh" writes (1 + tanh(u))/2 for Φ, '
    "with u = √(2/π)·(x + 0.044715·x^3)",
)
