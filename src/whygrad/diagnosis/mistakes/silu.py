"""What people get wrong about silu (swish): y = x·σ(x), so dx = dy·(σ + x·σ(1 − σ))."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from whygrad.diagnosis.catalogue import Mistake, mistake
from whygrad.diagnosis.mistakes.activations import activation, sigma
from whygrad.diagnosis.probes import Probe

LINE = "dx = dy * (s + x * s * (1 - s)), s = sigmoid(x)"


def _more(used: Callable[[Probe], Mapping[str, Any]]) -> tuple[Mistake, ...]:
    def formula(g: Callable[[Any], Any], does: str) -> Mistake:
        return mistake("activation_derivative_formula_wrong", "dx", "whole", lambda p: p.dy * g(p["x"]), does, LINE)

    return (
        formula(sigma, "is σ(x) alone: the second half of the product rule is missing"),
        formula(
            lambda x: x * sigma(x) * (1 - sigma(x)), "is x·σ′ alone: the first half of the product rule is missing"
        ),
        formula(
            lambda x: sigma(x) + sigma(x) * (1 - sigma(x)),
            "lacks the factor x in the second half of the product rule",
        ),
        formula(lambda x: sigma(x) + x * (1 - sigma(x)), "lacks a factor σ in the second half of the product rule"),
        formula(
            lambda x: x * sigma(x) + x * sigma(x) * (1 - sigma(x)),
            "has y for σ in the first half of the product rule",
        ),
        formula(
            lambda x: sigma(x) - x * sigma(x) * (1 - sigma(x)), "subtracts the second half of the product rule"
        ),
        formula(lambda x: sigma(x) + x * sigma(x), "lacks 1 − σ in the second half of the product rule"),
    )


SUBJECT = activation(
    "silu",
    lambda x, _: x * sigma(x),
    lambda x, _: sigma(x) * (1 + x * (1 - sigma(x))),
    more=_more,
    lines=LINE,
    halves={"the half σ(x)": sigma, "the half x·σ(x)(1 − σ(x))": lambda x: x * sigma(x) * (1 - sigma(x))},
)
