"""Gradient descent, as the update of a training that has no step of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from whygrad.typing import Array

#: A training as functions: new parameters from old ones and a batch.
Stepper = Callable[[dict[str, Array], Any], dict[str, Array]]
_Gradients = Callable[[dict[str, Array], Any], dict[str, Array]]


class Descent:
    """Gradient descent with Polyak's momentum, as v ← m·v + g, w ← w − η·v."""

    def __init__(self, gradients: _Gradients, rate: float, momentum: float, change: Any) -> None:
        self.gradients, self.rate, self.momentum, self.change = gradients, rate, momentum, change
        self.velocity: dict[str, Array] = {}

    def __call__(self, params: dict[str, Array], batch: Any) -> dict[str, Array]:
        """Return the parameters after one update."""
        gradients = self.gradients(params, batch)
        if self.change is not None:
            gradients = self.change(gradients, params, batch)
        new = dict(params)
        with np.errstate(all="ignore"):
            for name, g in gradients.items():
                if g.shape != params[name].shape:
                    continue
                v = g
                if self.momentum:
                    v = self.velocity[name] = self.momentum * self.velocity.get(name, 0.0) + g
                new[name] = (params[name] - self.rate * v).astype(params[name].dtype, copy=False)
        return new
