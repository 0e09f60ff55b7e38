"""What a product does: each factor gets the other's share of the gradient."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Index, Rule, Term, product
from whygrad.explanation.terms.stretched import read_from, serving
from whygrad.explanation.terms.words import used_at


def _factors(call: Call) -> tuple[str, str]:
    """Return the names of the two inputs."""
    first, second = call.inputs
    return first, second


def _y(call: Call, *index: int) -> Iterator[Term]:
    a, b = _factors(call)
    yield product(call[a][index], call[b][read_from(call.inputs[b].shape, index)])


def _da(call: Call, *index: int) -> Iterator[Term]:
    _, b = _factors(call)
    yield product(call["dy"][index], call[b][read_from(call.inputs[b].shape, index)])


def _db(call: Call, *index: int) -> Iterator[Term]:
    a, b = _factors(call)
    for at in serving(call.inputs[b].shape, call.y.shape, index):
        yield product(call["dy"][at], call[a][at])


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index, terms
    return "A product gives each factor the gradient times the other factor."


_WHERE = "b has one entry for a whole axis where its size is 1"
RULES = {
    "y": Rule("y[k] = a[k]·b[k]", _y, _WHERE),
    "da": Rule("da[k] = dy[k]·b[k]", _da, _WHERE, _words),
    "db": Rule("db[k] = Σ_{k} dy[k]·a[k]", _db, "over all entries that b[k] gated", used_at("gate", "place")),
}
