"""What local response normalisation is, and its gradient: straight through, and by way of the neighbours."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.rule import MINUS, Call, Cell, Factor, Index, Rule, Term, number, product
from whygrad.explanation.terms.words import plural


def _options(call: Call) -> tuple[int, float, float, float]:
    get = call.options.get
    return int(get("size", 5)), float(get("alpha", 1e-4)), float(get("beta", 0.75)), float(get("k", 1.0))


def _channels(call: Call, c: int, before: int, after: int) -> range:
    return range(max(0, c - before), min(call.y.shape[1], c + after + 1))


def _base(call: Call, n: int, c: int, i: int, j: int) -> tuple[float, tuple[Cell, ...]]:
    """Return s at an entry, and the entries that it is made of."""
    size, alpha, _, k = _options(call)
    x, seen = call.inputs["x"], _channels(call, c, (size - 1) // 2, size // 2)
    total = sum(float(x[n, m, i, j]) ** 2 for m in seen)
    return k + alpha / size * total, tuple(Cell("x", (n, m, i, j)) for m in seen)


def _power(call: Call, index: Index, extra: int = 0) -> Factor:
    """Return s^(−β − extra)."""
    (n, c, i, j), beta = index, _options(call)[2]
    base, cells = _base(call, n, c, i, j)
    written = f"s[{n},{c},{i},{j}]^({MINUS}{beta + extra:.6g})"
    return Factor(written, base ** -(beta + extra), cells)


def _y(call: Call, *index: int) -> Iterator[Term]:
    yield product(call["x"][index], _power(call, index))


def _dx(call: Call, n: int, c: int, i: int, j: int) -> Iterator[Term]:
    size, alpha, beta, _ = _options(call)
    here = (n, c, i, j)
    yield product(call["dy"][here], _power(call, here), note="straight through")
    share = number(-2 * alpha * beta / size)
    for m in _channels(call, c, size // 2, (size - 1) // 2):
        there = (n, m, i, j)
        looked = of("{0}", call["x"][there].value, call["x"][there])
        yield product(
            share, call["x"][here], call["dy"][there], looked, _power(call, there, 1), note="as a neighbour"
        )


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index
    return f"This entry counts in the mean square at {plural(len(terms) - 1, 'place')}, its own among them."


_WHERE = "s[n,c,i,j] = k + α/size·Σ_{m} x[n,m,i,j]^2 over the size channels m around c"
RULES = {
    "y": Rule("y[n,c,i,j] = x[n,c,i,j]·s[n,c,i,j]^(−β)", _y, _WHERE),
    "dx": Rule(
        "dx[n,c,i,j] = dy[n,c,i,j]·s[n,c,i,j]^(−β) − 2·α·β/size·x[n,c,i,j]·"
        "Σ_{m} dy[n,m,i,j]·x[n,m,i,j]·s[n,m,i,j]^(−β−1)",
        _dx,
        _WHERE + "; m in dx are the channels that c is around",
        _words,
    ),
}
