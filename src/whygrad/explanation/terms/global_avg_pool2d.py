"""What a channel's mean and its gradient are."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Factor, Index, Rule, Term, every, number, product


def _share(call: Call) -> Factor:
    entries = call.inputs["x"].shape[2] * call.inputs["x"].shape[3]
    return number(1 / entries, f"1/{entries}")


def _y(call: Call, n: int, c: int, _i: int, _j: int) -> Iterator[Term]:
    x = call["x"]
    for a, b in every(*x.array.shape[2:]):
        yield product(_share(call), x[n, c, a, b])


def _dx(call: Call, n: int, c: int, _a: int, _b: int) -> Iterator[Term]:
    dy = call["dy"]
    yield product(dy[n, c, 0, 0], _share(call))


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del index, terms
    x = call.inputs["x"]
    entries = x.shape[2] * x.shape[3]
    return f"Each of the {entries:,} entries of the channel gets an equal share of its mean's gradient."


RULES = {
    "y": Rule("y[n,c,0,0] = Σ_{a,b} 1/(H·W)·x[n,c,a,b]", _y),
    "dx": Rule("dx[n,c,a,b] = dy[n,c,0,0]·1/(H·W)", _dx, words=_words),
}
