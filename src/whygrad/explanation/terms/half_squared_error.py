"""What half the squared error and its gradient are: prediction minus target."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.cross_entropy import share_of
from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.rule import Call, Factor, Index, Rule, Term, every, number, product


def _share(call: Call) -> tuple[Factor, ...]:
    mean = call.options.get("reduction", "sum") == "mean"
    return share_of(float(len(call.inputs["z"]) or 1) if mean else 1.0)


def difference(call: Call, at: Index, text: str = "({0} - {1})") -> Factor:
    """Return z − t at an index."""
    z, t = call["z"][at], call["t"][at]
    return of(text, z.value - t.value, z, t, size=abs(z.value) + abs(t.value))


def _value(call: Call) -> Iterator[Term]:
    for at in every(*call.inputs["z"].shape):
        yield product(number(0.5, "1/2"), *_share(call), *[difference(call, at)] * 2)


def _dz(call: Call, *at: int) -> Iterator[Term]:
    yield product(*_share(call), difference(call, at))


def words(call: Call, index: Index, terms: list[Term]) -> str:
    """Say on which side of the target the prediction is."""
    del terms
    off = difference(call, index).value
    side = "above" if off > 0 else "below" if off < 0 else "exactly at"
    return f"The prediction is {f'{abs(off):.3g} ' if off else ''}{side} its target."


_WHERE = "z predictions, t targets; with the reduction mean both are divided by the number of samples"
RULES = {
    "y": Rule("E = 1/2·Σ_{n} (z[n] − t[n])^2", _value, _WHERE),
    "dz": Rule("dz[n] = z[n] − t[n]", _dz, _WHERE, words),
}
