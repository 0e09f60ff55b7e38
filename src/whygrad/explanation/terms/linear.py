"""What the entries of a dense layer and of its gradients are sums of."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Rule, Term, product
from whygrad.explanation.terms.words import used_at


def _y(call: Call, n: int, f: int) -> Iterator[Term]:
    x, w = call["x"], call["w"]
    for d in range(w.array.shape[1]):
        yield product(w[f, d], x[n, d])
    if "b" in call.inputs:
        yield product(call["b"][f])


def _dx(call: Call, n: int, d: int) -> Iterator[Term]:
    dy, w = call["dy"], call["w"]
    for f in range(w.array.shape[0]):
        yield product(dy[n, f], w[f, d])


def _dw(call: Call, f: int, d: int) -> Iterator[Term]:
    dy, x = call["dy"], call["x"]
    for n in range(len(x.array)):
        yield product(dy[n, f], x[n, d])


def _db(call: Call, f: int) -> Iterator[Term]:
    dy = call["dy"]
    for n in range(len(dy.array)):
        yield product(dy[n, f])


RULES = {
    "y": Rule("y[n,f] = Σ_{d} w[f,d]·x[n,d] + b[f]", _y),
    "dx": Rule("dx[n,d] = Σ_{f} dy[n,f]·w[f,d]", _dx, words=used_at("entry", "output")),
    "dw": Rule("dw[f,d] = Σ_{n} dy[n,f]·x[n,d]", _dw, words=used_at("weight", "sample")),
    "db": Rule("db[f] = Σ_{n} dy[n,f]", _db, words=used_at("bias", "sample")),
}
