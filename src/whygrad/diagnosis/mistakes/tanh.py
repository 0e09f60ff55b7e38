"""What people get wrong about tanh: dx = dy·(1 − y²)."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.mistakes.activations import activation

SUBJECT = activation(
    "tanh", lambda x, _: np.tanh(x), lambda x, _: 1 - np.tanh(x) ** 2, lines="dx = dy * (1 - y**2), y = np.tanh(x)"
)
