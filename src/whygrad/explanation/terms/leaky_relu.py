"""What a leaky ReLU's value and gradient are: one of two slopes."""

from __future__ import annotations

from whygrad.explanation.terms.pointwise import gate_words, of, pointwise
from whygrad.explanation.terms.rule import Call, Factor


def _slope(call: Call, x: Factor) -> Factor:
    low = float(call.options.get("negative_slope", 0.01))
    return of(f"(1 if {{0}} > 0 else {low:.6g})", 1.0 if x.value > 0 else low, x)


RULES = pointwise(
    "y = x·(1 if x > 0 else a)",
    "dx = dy·(1 if x > 0 else a)",
    value=lambda call, x: (x, _slope(call, x)),
    slope=lambda call, x, y: [(_slope(call, x),)],
    words=lambda call, index, terms: (
        gate_words(call, index, terms)
        .replace("the gate is closed", "dy counts a-fold")
        .replace("the gate is open", "dy passes as it is")
    ),
    where="a is negative_slope",
)
