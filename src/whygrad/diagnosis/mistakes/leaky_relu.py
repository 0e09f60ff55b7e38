"""What people get wrong about the leaky relu: dx = dy where x > 0 and α·dy elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, mistake
from whygrad.diagnosis.mistakes.activations import activation
from whygrad.diagnosis.probes import Probe

LINE = "dx = dy * np.where(x > 0, 1, alpha)"


def _more(used: Callable[[Probe], Mapping[str, Any]]) -> tuple[Mistake, ...]:
    def alpha(p: Probe) -> float:
        return float(used(p)["alpha"])

    def formula(
        g: Callable[[Probe], Any], does: str, also: str = "", label: str = "activation_derivative_formula_wrong"
    ) -> Mistake:
        return mistake(label, "dx", "whole", lambda p: p.dy * g(p), does, LINE, also=also)

    return (
        formula(lambda p: (p["x"] > 0) * 1.0, "is 0 where x < 0: the slope α is left out"),
        formula(lambda p: np.where(p["x"] > 0, alpha(p), 1.0), "has its two slopes exchanged", "mask_inverted"),
        formula(lambda p: np.where(p["x"] > 0, 1.0, -alpha(p)), "has the slope −α where x < 0", "sign_error"),
        formula(lambda p: np.where(p["x"] > 0, 1.0, alpha(p) * p["x"]),
                "multiplies by α·x where x < 0: the value, not the slope"),
        formula(lambda p: np.where(p["x"] > 0, p["x"], alpha(p)), "multiplies by x where x > 0"),
        formula(lambda p: np.where(p["x"] > 0, 1.0, 1 / alpha(p)), "divides by α where x < 0"),
        formula(lambda p: np.where(p["x"] > 0, 1.0, alpha(p) ** 2), "applies α twice where x < 0",
                "extra_factor_in_delta"),
        formula(lambda p: np.where(p["x"] > 0, 1.0, 1 - alpha(p)), "has the slope 1 − α where x < 0"),
        formula(lambda p: np.where(p["x"] > 0, 1.0, 1 + alpha(p)), "adds α to the slope where x < 0"),
        formula(lambda p: alpha(p) + 0 * p["x"], "has the slope α everywhere"),
        mistake("activation_derivative_formula_wrong", "dx", "whole",
                lambda p: np.where(p["x"] > 0, p.dy, alpha(p)), "is α itself where x < 0: dy is left out there",
                LINE,
                also="upstream_gradient_not_multiplied"),
        mistake("activation_derivative_formula_wrong", "dx", "whole",
                lambda p: np.where(p["x"] > 0, 1.0, alpha(p) * p.dy), "is 1 where x > 0: dy is left out there",
                LINE,
                also="upstream_gradient_not_multiplied"),
        mistake("activation_derivative_formula_wrong", "dx", "whole",
                lambda p: np.where(p["x"] > 0, p.dy, alpha(p) * p["x"]),
                "is α·x where x < 0: the value, not the gradient", LINE),
        formula(lambda p: np.where(p.dy > 0, 1.0, alpha(p)), "takes the slope by the sign of dy, not of x",
                "activation_derivative_of_wrong_tensor", "relu_mask_wrong_tensor"),
    )  # fmt: skip


SUBJECT = activation(
    "leaky_relu", lambda x, o: np.where(x > 0, x, o["alpha"] * x), lambda x, o: np.where(x > 0, 1.0, o["alpha"]),
    options={"alpha": 0.01}, more=_more, lines=LINE, mask=True,
)  # fmt: skip
