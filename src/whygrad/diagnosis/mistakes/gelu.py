"""What people get wrong about gelu: y = x·Φ(x), so dx = dy·(Φ(x) + x·φ(x))."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf, pi, sqrt
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, mistake
from whygrad.diagnosis.mistakes.activations import activation
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

LINE = "dx = dy * (Phi(x) + x * phi(x))"
_ROOT = sqrt(2 / pi)


def _cdf(x: Array) -> Array:
    return np.array([0.5 * (1 + erf(v / sqrt(2))) for v in np.ravel(x)]).reshape(np.shape(x))


def _density(x: Array) -> Array:
    return np.exp(-x * x / 2) / sqrt(2 * pi)


def _value(x: Array, options: Mapping[str, Any]) -> Array:
    if options["approximate"] == "tanh":
        return 0.5 * x * (1 + np.tanh(_ROOT * (x + 0.044715 * x**3)))
    return x * _cdf(x)


def _slope(x: Array, options: Mapping[str, Any]) -> Array:
    if options["approximate"] == "tanh":
        t = np.tanh(_ROOT * (x + 0.044715 * x**3))
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * _ROOT * (1 + 3 * 0.044715 * x * x)
    return _cdf(x) + x * _density(x)


def _more(used: Callable[[Probe], Mapping[str, Any]]) -> tuple[Mistake, ...]:
    def formula(g: Callable[[Array], Array], does: str) -> Mistake:
        return mistake("activation_derivative_formula_wrong", "dx", "whole", lambda p: p.dy * g(p["x"]), does, LINE)

    def tanh(x: Array) -> Array:
        return np.tanh(_ROOT * (x + 0.044715 * x**3))

    return (
        formula(_cdf, "is Φ(x) alone: the second half of the product rule is missing"),
        formula(lambda x: x * _density(x), "is x·φ(x) alone: the first half of the product rule is missing"),
        formula(lambda x: _cdf(x) + _density(x), "lacks the factor x in the second half of the product rule"),
        formula(lambda x: _cdf(x) - x * _density(x), "subtracts the second half of the product rule"),
        formula(lambda x: 0.5 * (1 + tanh(x)), "is the first half of the product rule of the approximation"),
        formula(lambda x: 0.5 * (1 + tanh(x)) + 0.5 * x * (1 - tanh(x) ** 2) * _ROOT,
                "lacks the derivative of the cube within tanh"),
        formula(lambda x: 0.5 * (1 + tanh(x)) + 0.5 * x * (1 - tanh(x) ** 2),
                "lacks the inner derivative of tanh's argument"),
    )  # fmt: skip


SUBJECT = activation(
    "gelu",
    _value,
    _slope,
    options={"approximate": "none"},
    more=_more,
    lines=LINE,
    halves={"the half Φ(x)": _cdf, "the half x·φ(x)": lambda x: x * _density(x)},
)
