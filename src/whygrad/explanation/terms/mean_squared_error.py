"""What the mean squared error and its gradient are."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.cross_entropy import share_of
from whygrad.explanation.terms.half_squared_error import difference, words
from whygrad.explanation.terms.rule import Call, Factor, Rule, Term, every, number, product


def _share(call: Call) -> tuple[Factor, ...]:
    return share_of(1.0 if call.options.get("reduction", "mean") == "sum" else float(call.inputs["z"].size or 1))


def _value(call: Call) -> Iterator[Term]:
    for at in every(*call.inputs["z"].shape):
        yield product(*_share(call), *[difference(call, at)] * 2)


def _dz(call: Call, *at: int) -> Iterator[Term]:
    yield product(number(2.0), *_share(call), difference(call, at))


_WHERE = "z predictions, t targets; M counts the entries, 1 with the reduction sum"
RULES = {
    "y": Rule("E = 1/M·Σ_{n} (z[n] − t[n])^2", _value, _WHERE),
    "dz": Rule("dz[n] = 2/M·(z[n] − t[n])", _dz, _WHERE, words),
}
