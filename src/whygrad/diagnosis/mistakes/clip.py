"""What people get wrong about clipping: dx = dy between the bounds and 0 beyond them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, mistake
from whygrad.diagnosis.mistakes.activations import activation
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

LINE = "dx = dy * ((low < x) & (x < high))"


def _within(x: Array, o: Mapping[str, Any]) -> Array:
    return ((x > o["low"]) & (x < o["high"])) * 1.0


def _more(used: Callable[[Probe], Mapping[str, Any]]) -> tuple[Mistake, ...]:
    def mask(g: Callable[[Array, float, float], Array], does: str, also: str = "") -> Mistake:
        def wrong(p: Probe) -> Array:
            return p.dy * g(p["x"], float(used(p)["low"]), float(used(p)["high"]))

        return mistake("activation_derivative_formula_wrong", "dx", "whole", wrong, does, LINE, also=also)

    return (
        mask(lambda x, low, high: (x > low) * 1.0, "lets dy through above the upper bound too"),
        mask(lambda x, low, high: (x < high) * 1.0, "lets dy through below the lower bound too"),
        mask(lambda x, low, high: ((x <= low) | (x >= high)) * 1.0, "is the opposite mask", "mask_inverted"),
        mask(np.clip, "multiplies by the clipped value, not by its slope",
             "activation_derivative_of_wrong_tensor"),
        mistake("activation_derivative_formula_wrong", "dx", "whole",
                lambda p: np.clip(p.dy, float(used(p)["low"]), float(used(p)["high"])),
                "is dy clipped: the mask is a matter of x", LINE,
                also="relu_mask_wrong_tensor activation_derivative_of_wrong_tensor"),
    )  # fmt: skip


SUBJECT = activation(
    "clip", lambda x, o: np.clip(x, o["low"], o["high"]), _within, options={"low": -0.6, "high": 0.8}, more=_more,
    lines=LINE, mask=True,
)  # fmt: skip
