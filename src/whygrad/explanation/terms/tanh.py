"""What a hyperbolic tangent's value and gradient are: 1 − y² is known from y alone."""

from __future__ import annotations

import math

from whygrad.explanation.terms.pointwise import of, pointwise

RULES = pointwise(
    "y = tanh(x)",
    "dx = dy·(1 − y^2)",
    value=lambda call, x: [of("tanh({0})", math.tanh(x.value), x)],
    slope=lambda call, x, y: [(of("(1 - {0}^2)", 1 - y.value**2, y, size=1.0),)],
)
