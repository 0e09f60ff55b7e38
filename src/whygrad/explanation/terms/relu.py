"""What a ReLU's value and gradient are: a gate."""

from __future__ import annotations

from whygrad.explanation.terms.pointwise import gate, gate_words, pointwise

RULES = pointwise(
    "y = x·[x > 0]",
    "dx = dy·[x > 0]",
    value=lambda call, x: (x, gate(x)),
    slope=lambda call, x, y: [(gate(x),)],
    words=gate_words,
    where="[x > 0] is 1 where x is above 0 and 0 elsewhere",
)
