"""What people get wrong about elu: dx = dy where x > 0 and dy·α·exp(x) = dy·(y + α) elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, mistake
from whygrad.diagnosis.mistakes.activations import activation
from whygrad.diagnosis.probes import Probe

LINE = "dx = dy * np.where(x > 0, 1, alpha * np.exp(x))"


def _more(used: Callable[[Probe], Mapping[str, Any]]) -> tuple[Mistake, ...]:
    def below(g: Callable[[Any, float], Any], does: str, also: str = "", rank: int = 0) -> Mistake:
        def wrong(p: Probe) -> Any:
            return p.dy * np.where(p["x"] > 0, 1.0, g(np.minimum(p["x"], 0), float(used(p)["alpha"])))

        return mistake(
            "activation_derivative_formula_wrong", "dx", "whole", wrong, does, LINE, also=also, rank=rank
        )

    return (
        below(lambda x, a: a * (np.exp(x) - 1), "has the value α(exp(x) − 1) for the slope where x < 0"),
        below(lambda x, a: 0 * x, "is 0 where x < 0, as relu's"),
        below(lambda x, a: a + 0 * x, "has the slope α where x < 0, as a leaky relu's", rank=1),
        below(lambda x, a: -a * np.exp(x), "has the wrong sign where x < 0", "sign_error"),
        below(lambda x, a: a * np.exp(-x), "has exp(−x) for exp(x)"),
        below(lambda x, a: a * np.exp(x) + a, "adds α to the slope once more"),
        below(lambda x, a: a * x * np.exp(x), "has x·exp(x) for exp(x)"),
        below(lambda x, a: a * np.exp(a * (np.exp(x) - 1)), "takes exp of the output, not of x",
              "activation_derivative_of_wrong_tensor"),
    )  # fmt: skip


SUBJECT = activation(
    "elu", lambda x, o: np.where(x > 0, x, o["alpha"] * np.expm1(np.minimum(x, 0))),
    lambda x, o: np.where(x > 0, 1.0, o["alpha"] * np.exp(np.minimum(x, 0))), options={"alpha": 1.0}, more=_more,
    lines=LINE,
)  # fmt: skip
