"""What people get wrong about softplus: y = log(1 + exp(x)), so dx = dy·σ(x)."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.mistakes.activations import activation, sigma

SUBJECT = activation(
    "softplus", lambda x, _: np.logaddexp(0, x), lambda x, _: sigma(x), lines="dx = dy / (1 + np.exp(-x))"
)
