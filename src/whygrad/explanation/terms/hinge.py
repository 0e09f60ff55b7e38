"""What the hinge loss and its gradient are: every class that comes too near is charged."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.cross_entropy import share_of
from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.rule import MINUS, MINUS_ONE, Call, Factor, Index, Rule, Term, every, product


def _label(call: Call, n: int, at: Index) -> int:
    return int(call.constants["t"][n, *at])


def _share(call: Call) -> tuple[Factor, ...]:
    count = float(call.constants["t"].size or 1)
    return share_of(1.0 if call.options.get("reduction", "mean") == "sum" else count)


def _excess(call: Call, n: int, k: int, at: Index, text: str) -> Factor:
    margin = float(call.options.get("margin", 1.0))
    s, right = call["z"][n, k, *at], call["z"][n, _label(call, n, at), *at]
    return of(
        text.replace("Δ", f"{margin:.6g}".replace("-", MINUS)),
        s.value - right.value + margin,
        s,
        right,
        size=abs(s.value) + abs(right.value) + margin,
    )


def _others(call: Call, n: int, at: Index) -> Iterator[int]:
    return (k for k in range(call.inputs["z"].shape[1]) if k != _label(call, n, at))


def _charged(call: Call, n: int, k: int, at: Index) -> Factor:
    excess = _excess(call, n, k, at, "[{0} - {1} + Δ > 0]")
    return excess._replace(value=float(excess.value > 0), size=0.0)


def _value(call: Call) -> Iterator[Term]:
    z = call.inputs["z"]
    for n, *rest in every(len(z), *z.shape[2:]):
        at = tuple(rest)
        for k in _others(call, n, at):
            excess = _excess(call, n, k, at, "max(0, {0} - {1} + Δ)")
            yield product(*_share(call), excess._replace(value=max(0.0, excess.value)))


def _dz(call: Call, n: int, k: int, *at: int) -> Iterator[Term]:
    if k != _label(call, n, at):
        yield product(*_share(call), _charged(call, n, k, at))
        return
    for other in _others(call, n, at):
        yield product(MINUS_ONE, *_share(call), _charged(call, n, other, at))


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    n, k, *rest = index
    charged = sum(term.value != 0 for term in terms)
    if k == _label(call, n, tuple(rest)):
        return f"This is the right class; {charged} others come within the margin, and each pulls it up."
    return "This class comes within the margin of the right one." if charged else "This class is far enough off."


_WHERE = "t is the right class, Δ the margin; N counts the samples"
RULES = {
    "y": Rule("E = 1/N·Σ_{n,k} max(0, z[n,k] − z[n,t] + Δ)", _value, _WHERE + "; k runs over the wrong classes"),
    "dz": Rule("dz[n,k] = 1/N·[z[n,k] − z[n,t] + Δ > 0]", _dz, _WHERE + "; dz[n,t] is minus their sum", _words),
}
