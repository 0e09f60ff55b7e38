"""What binary cross-entropy and its gradient are: probability minus target."""

from __future__ import annotations

import math
from collections.abc import Iterator

from whygrad.explanation.terms.cross_entropy import share_of
from whygrad.explanation.terms.pointwise import of, sigmoid
from whygrad.explanation.terms.rule import MINUS_ONE, Call, Factor, Rule, Term, every, product


def _share(call: Call) -> tuple[Factor, ...]:
    return share_of(1.0 if call.options.get("reduction", "mean") == "sum" else float(call.inputs["z"].size or 1))


def _value(call: Call) -> Iterator[Term]:
    for at in every(*call.inputs["z"].shape):
        z, t = call["z"][at], call["t"][at]
        value = max(z.value, 0.0) + math.log1p(math.exp(-abs(z.value)))
        yield product(*_share(call), of("log(1 + e^({0}))", value, z))
        yield product(MINUS_ONE, *_share(call), t, z)


def _dz(call: Call, *at: int) -> Iterator[Term]:
    z = call["z"][at]
    yield product(*_share(call), of("σ({0})", sigmoid(z.value), z))
    yield product(MINUS_ONE, *_share(call), call["t"][at])


_WHERE = "σ(z) = 1/(1 + e^(−z)); M counts the entries"
RULES = {
    "y": Rule("E = 1/M·Σ_{n} (log(1 + e^(z[n])) − t[n]·z[n])", _value, _WHERE),
    "dz": Rule("dz[n] = 1/M·(σ(z[n]) − t[n])", _dz, _WHERE),
}
