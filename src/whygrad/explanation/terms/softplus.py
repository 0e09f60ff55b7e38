"""What a softplus's value and gradient are: its slope is the sigmoid."""

from __future__ import annotations

import math

from whygrad.explanation.terms.pointwise import of, pointwise, sigmoid

RULES = pointwise(
    "y = log(1 + e^(x))",
    "dx = dy·1/(1 + e^(−x))",
    value=lambda call, x: [of("log(1 + e^({0}))", max(x.value, 0.0) + math.log1p(math.exp(-abs(x.value))), x)],
    slope=lambda call, x, y: [(of("1/(1 + e^(-{0}))", sigmoid(x.value), x),)],
)
