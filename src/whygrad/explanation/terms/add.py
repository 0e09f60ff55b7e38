"""What a sum does: both ways get the same gradient."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Index, Rule, Term, product


def _y(call: Call, *index: int) -> Iterator[Term]:
    for name in call.inputs:
        yield product(call[name][index])


def _dx(call: Call, *index: int) -> Iterator[Term]:
    yield product(call["dy"][index])


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index, terms
    return "A sum hands its gradient on to both of its inputs, unchanged."


RULES = {
    "y": Rule("y = a + b", _y),
    "da": Rule("da = dy", _dx, words=_words),
    "db": Rule("db = dy", _dx, words=_words),
}
