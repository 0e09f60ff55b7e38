"""What a sigmoid's value and gradient are: y(1 − y) is known from y alone."""

from __future__ import annotations

from whygrad.explanation.terms.pointwise import of, pointwise, sigmoid

RULES = pointwise(
    "y = 1/(1 + e^(−x))",
    "dx = dy·y·(1 − y)",
    value=lambda call, x: [of("1/(1 + e^(-{0}))", sigmoid(x.value), x)],
    slope=lambda call, x, y: [(y, of("(1 - {0})", 1 - y.value, y, size=1.0))],
)
