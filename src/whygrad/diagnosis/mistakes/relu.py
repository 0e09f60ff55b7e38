"""What people get wrong about relu: y = max(x, 0), so dx = dy where x > 0 and 0 elsewhere."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.mistakes.activations import activation

SUBJECT = activation(
    "relu", lambda x, _: np.maximum(x, 0), lambda x, _: (x > 0) * 1.0, lines="dx = dy * (x > 0)", mask=True
)
