"""What batch normalisation's value is, and the three terms of its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.rule import MINUS_ONE, Call, Factor, Index, Rule, Term, every, number, product
from whygrad.explanation.terms.words import used_at
from whygrad.typing import Array


class _Statistics(NamedTuple):
    mean: Array
    variance: Array
    entries: int  #: M, over which they were taken; 0 in evaluation


def _statistics(call: Call) -> _Statistics:
    x = call.inputs["x"]
    if not call.options["training"]:
        return _Statistics(call.constants["running_mean"], call.constants["running_var"], 0)
    return _Statistics(x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3)), x.size // x.shape[1])


def _of(call: Call) -> _Statistics:
    return call.once("statistics", _statistics)


def _scale(call: Call, c: int) -> Factor:
    scale = 1 / math.sqrt(float(_of(call).variance[c]) + float(call.options.get("eps", 1e-5)))
    return Factor(f"1/√(v[{c}] + ε)", scale)


def _centred(call: Call, n: int, c: int, a: int, b: int) -> Factor:
    x = call["x"][n, c, a, b]
    mean = float(_of(call).mean[c])
    return of(f"({{0}} - μ[{c}])", x.value - mean, x, size=abs(x.value) + abs(mean))


def _normalised(call: Call, n: int, c: int, a: int, b: int) -> Factor:
    x = call["x"][n, c, a, b]
    centred, scale = _centred(call, n, c, a, b), _scale(call, c).value
    return of(f"x̂[{n},{c},{a},{b}]", centred.value * scale, x, size=centred.size * scale)


def _y(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    yield product(call["gamma"][c], _centred(call, n, c, a, b), _scale(call, c))
    yield product(call["beta"][c])


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    gamma, scale, entries = call["gamma"][c], _scale(call, c), _of(call).entries
    yield product(call["dy"][n, c, a, b], gamma, scale, note="straight through")
    if entries:
        share = number(1 / entries, f"1/{entries}")
        yield product(MINUS_ONE, call["dbeta"][c], share, gamma, scale, note="through the mean")
        normalised = _normalised(call, n, c, a, b)
        yield product(MINUS_ONE, call["dgamma"][c], share, normalised, gamma, scale, note="through the variance")


def _dgamma(call: Call, c: int) -> Iterator[Term]:
    samples, _, rows, columns = call.y.shape
    for n, a, b in every(samples, rows, columns):
        yield product(call["dy"][n, c, a, b], _normalised(call, n, c, a, b))


def _dbeta(call: Call, c: int) -> Iterator[Term]:
    samples, _, rows, columns = call.y.shape
    for n, a, b in every(samples, rows, columns):
        yield product(call["dy"][n, c, a, b])


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del terms
    entries = _of(call).entries
    if not entries:
        return "In evaluation mean and variance are constants, and dy is scaled by γ/√(v + ε)."
    return (
        f"Mean and variance of channel {index[1]} are taken over {entries:,} entries, this one among them: "
        "besides the straight way, gradient comes back through both."
    )


_WHERE = "x̂ = (x − μ)/√(v + ε); μ and v are mean and variance of the channel over its M entries"
RULES = {
    "y": Rule("y[n,c,a,b] = γ[c]·(x[n,c,a,b] − μ[c])/√(v[c] + ε) + β[c]", _y, _WHERE),
    "dx": Rule(
        "dx[n,c,a,b] = γ[c]/√(v[c] + ε)·(dy[n,c,a,b] − dβ[c]/M − x̂[n,c,a,b]·dγ[c]/M)",
        _dx,
        _WHERE + "; the last two terms are for training",
        _words,
    ),
    "dgamma": Rule("dγ[c] = Σ_{n,a,b} dy[n,c,a,b]·x̂[n,c,a,b]", _dgamma, _WHERE, used_at("scale", "position")),
    "dbeta": Rule("dβ[c] = Σ_{n,a,b} dy[n,c,a,b]", _dbeta, words=used_at("shift", "position")),
}
