"""What scaling and shifting does: each entry has a weight, which may serve a whole axis."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Index, Rule, Term, product
from whygrad.explanation.terms.stretched import read_from, serving
from whygrad.explanation.terms.words import used_at
from whygrad.typing import Shape


def _y(call: Call, n: int, *k: int) -> Iterator[Term]:
    yield product(call["w"][_own(call, "w", k)], call["x"][n, *k])
    if "b" in call.inputs:
        yield product(call["b"][_own(call, "b", k)])


def _dx(call: Call, n: int, *k: int) -> Iterator[Term]:
    yield product(call["dy"][n, *k], call["w"][_own(call, "w", k)])


def _dw(call: Call, *k: int) -> Iterator[Term]:
    for at in _served(call, call.inputs["w"].shape, k):
        yield product(call["dy"][at], call["x"][at])


def _db(call: Call, *k: int) -> Iterator[Term]:
    for at in _served(call, call.inputs["b"].shape, k):
        yield product(call["dy"][at])


def _own(call: Call, name: str, k: Index) -> Index:
    return read_from(call.inputs[name].shape, k)


def _served(call: Call, shape: Shape, k: Index) -> Iterator[Index]:
    for n in range(len(call.y)):
        for at in serving(shape, call.y.shape[1:], k):
            yield n, *at


_WHERE = "k is an index within a sample; w and b have one entry for a whole axis where their size is 1"
RULES = {
    "y": Rule("y[n,k] = w[k]·x[n,k] + b[k]", _y, _WHERE),
    "dx": Rule("dx[n,k] = dy[n,k]·w[k]", _dx, _WHERE),
    "dw": Rule(
        "dw[k] = Σ_{n,k} dy[n,k]·x[n,k]", _dw, "over all entries that w[k] served", used_at("weight", "place")
    ),
    "db": Rule("db[k] = Σ_{n,k} dy[n,k]", _db, "over all entries that b[k] served", used_at("bias", "place")),
}
