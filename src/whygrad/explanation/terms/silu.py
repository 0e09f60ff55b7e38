"""What a SiLU's value and gradient are."""

from __future__ import annotations

from whygrad.explanation.terms.pointwise import of, pointwise, sigmoid
from whygrad.explanation.terms.rule import Call, Factor


def _slope(call: Call, x: Factor, y: Factor) -> list[tuple[Factor, ...]]:
    del call, y
    s = of("σ({0})", sigmoid(x.value), x)
    return [(s,), (x, s, of("(1 - σ({0}))", 1 - s.value, x, size=1.0))]


RULES = pointwise(
    "y = x·σ(x)",
    "dx = dy·σ(x) + dy·x·σ(x)·(1 − σ(x))",
    value=lambda call, x: (x, of("σ({0})", sigmoid(x.value), x)),
    slope=_slope,
    where="σ(x) = 1/(1 + e^(−x))",
)
