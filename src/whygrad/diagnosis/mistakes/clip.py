"""What people get wrong about clipping: dx = dy between the two bounds and 0 beyond them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, mistake
from whygrad.diagnosis.mistakes.activations import activation
from whygrad.diagnosis.probes import Probe

LINE = "dx = dy * ((x > low) & (x < high))"


def _more(used: Callable[[Probe], Mapping[str, Any]]) -> tuple[Mistake, ...]:
    def bounds(p: Probe) -> tuple[float, float]:
        return float(used(p)["low"]), float(used(p)["high"])

    def formula(
        g: Callable[[Probe, float, float], Any], does: str, also: str = "", label: str = "relu_mask_wrong_tensor"
    ) -> Mistake:
        return mistake(label, "dx", "whole", lambda p: p.dy * g(p, *bounds(p)), does, LINE, also=also)

    wrong = "activation_derivative_formula_wrong"
    return (
        formula(lambda p, low, high: (p["x"] > low) * 1.0, "is cut off below, but not above", wrong),
        formula(lambda p, low, high: (p["x"] < high) * 1.0, "is cut off above, but not below", wrong),
        formula(lambda p, low, high: (p["x"] > low) | (p["x"] < high), "lets everything through: `or` for `and`",
                f"missing_activation_derivative {wrong}"),
        formula(lambda p, low, high: ~((p["x"] > low) & (p["x"] < high)), "has the opposite mask",
                "mask_inverted"),
        formula(lambda p, low, high: (p.y >= low) & (p.y <= high), "takes its mask from y with ≥ and ≤, between "
                "which every entry lies", f"missing_activation_derivative {wrong}"),
        formula(lambda p, low, high: (p.dy > low) & (p.dy < high), "takes its mask from dy, not from x"),
        formula(lambda p, low, high: np.clip(p["x"], low, high), "multiplies by the clipped value, not by a mask",
                "missing_activation_derivative", wrong),
        mistake("clipping_in_gradient", "dx", "whole", lambda p: np.clip(p.dy, *bounds(p)),
                "is dy clipped to the same bounds: it is x that is clipped", LINE, also=wrong),
        mistake("clipping_in_gradient", "dx", "whole",
                lambda p: np.clip(p.dy, *bounds(p)) * ((p["x"] > bounds(p)[0]) & (p["x"] < bounds(p)[1])),
                "is clipped to the same bounds besides", LINE, also=wrong),
    )  # fmt: skip


SUBJECT = activation(
    "clip", lambda x, o: np.clip(x, o["low"], o["high"]), lambda x, o: ((x > o["low"]) & (x < o["high"])) * 1.0,
    options={"low": -0.4, "high": 0.7}, more=_more, lines=LINE, mask=True,
)  # fmt: skip
