"""What people get wrong about the sigmoid: y = 1/(1 + exp(−x)), so dx = dy·y(1 − y)."""

from __future__ import annotations

from whygrad.diagnosis.mistakes.activations import activation, sigma

SUBJECT = activation(
    "sigmoid",
    lambda x, _: sigma(x),
    lambda x, _: sigma(x) * (1 - sigma(x)),
    lines="dx = dy * y * (1 - y), y = sigmoid(x)",
)
