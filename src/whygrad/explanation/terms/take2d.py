"""What taking rows and columns does: every entry of y shows one entry of x."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Index, Rule, Term, product
from whygrad.explanation.terms.words import plural


def _y(call: Call, n: int, c: int, i: int, j: int) -> Iterator[Term]:
    yield product(call["x"][n, c, call.options["vertical"][i], call.options["horizontal"][j]])


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    vertical, horizontal = call.options["vertical"], call.options["horizontal"]
    across = [j for j, column in enumerate(horizontal) if column == b]
    for i in (place for place, row in enumerate(vertical) if row == a):
        for j in across:
            yield product(call["dy"][n, c, i, j])


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index
    return f"This entry is shown at {plural(len(terms), 'place')}."


RULES = {
    "y": Rule("y[n,c,i,j] = x[n,c,vertical[i],horizontal[j]]", _y),
    "dx": Rule(
        "dx[n,c,a,b] = Σ_{i,j} dy[n,c,i,j]",
        _dx,
        "over all i and j with vertical[i] = a and horizontal[j] = b",
        _words,
    ),
}
