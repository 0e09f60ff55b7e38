"""What layer normalisation's value is, and the three terms of its gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.rule import MINUS_ONE, Call, Cell, Factor, Index, Rule, Term, every, product
from whygrad.explanation.terms.words import used_at
from whygrad.typing import Array


def _split(call: Call, index: Index) -> tuple[Index, Index]:
    """Return the part of an index that names the sample, and the part that names the feature."""
    samples = len(index) - call.inputs["gamma"].ndim
    return index[:samples], index[samples:]


def _row(call: Call, index: Index) -> Array:
    return call.inputs["x"][_split(call, index)[0]]


def _scale(call: Call, index: Index) -> Factor:
    (sample, _), row = _split(call, index), _row(call, index)
    value = 1 / np.sqrt(row.var() + float(call.options.get("eps", 1e-5)))
    return Factor(f"1/√(v[{_written(sample)}] + ε)", float(value))


def _centred(call: Call, index: Index) -> Factor:
    x = call["x"][index]
    mean, sample = float(_row(call, index).mean()), _split(call, index)[0]
    return of(f"({{0}} - μ[{_written(sample)}])", x.value - mean, x, size=abs(x.value) + abs(mean))


def _normalised(call: Call, index: Index) -> Factor:
    centred, scale = _centred(call, index), _scale(call, index).value
    return of(f"x̂[{_written(index)}]", centred.value * scale, call["x"][index], size=centred.size * scale)


def _written(index: Index) -> str:
    return ",".join(map(str, index))


def _mean(text: str, sample: Index, values: Array) -> Factor:
    cells = tuple(Cell("dy", (*sample, *at)) for at in every(*values.shape))
    return Factor(f"{text}[{_written(sample)}]", float(values.mean()), cells, float(np.abs(values).mean()))


def _y(call: Call, *index: int) -> Iterator[Term]:
    _, feature = _split(call, index)
    yield product(call["gamma"][feature], _centred(call, index), _scale(call, index))
    yield product(call["beta"][feature])


def _dx(call: Call, *index: int) -> Iterator[Term]:
    sample, feature = _split(call, index)
    scale, row = _scale(call, index), _row(call, index)
    g = call.inputs["gamma"] * call.array("dy")[sample]
    normalised = (row - row.mean()) * scale.value
    yield product(call["dy"][index], call["gamma"][feature], scale, note="straight through")
    yield product(MINUS_ONE, _mean("mean_g", sample, g), scale, note="through the mean")
    through = _mean("mean_gx̂", sample, g * normalised)
    yield product(MINUS_ONE, through, _normalised(call, index), scale, note="through the variance")


def _dgamma(call: Call, *feature: int) -> Iterator[Term]:
    for sample in every(*call.y.shape[: call.y.ndim - len(feature)]):
        yield product(call["dy"][*sample, *feature], _normalised(call, (*sample, *feature)))


def _dbeta(call: Call, *feature: int) -> Iterator[Term]:
    for sample in every(*call.y.shape[: call.y.ndim - len(feature)]):
        yield product(call["dy"][*sample, *feature])


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del terms
    features = _row(call, index).size
    return (
        f"Mean and variance of the sample are taken over {features:,} entries, this one among them: "
        "besides the straight way, gradient comes back through both."
    )


_WHERE = "x̂ = (x − μ)/√(v + ε); μ and v are mean and variance of the sample over its normalised axes"
RULES = {
    "y": Rule("y[n,k] = γ[k]·(x[n,k] − μ[n])/√(v[n] + ε) + β[k]", _y, _WHERE),
    "dx": Rule(
        "dx[n,k] = 1/√(v[n] + ε)·(γ[k]·dy[n,k] − mean_g[n] − x̂[n,k]·mean_gx̂[n])",
        _dx,
        _WHERE + "; mean_g and mean_gx̂ are the means of g = γ·dy and of g·x̂ over them",
        _words,
    ),
    "dgamma": Rule("dγ[k] = Σ_{n} dy[n,k]·x̂[n,k]", _dgamma, _WHERE, used_at("scale", "sample")),
    "dbeta": Rule("dβ[k] = Σ_{n} dy[n,k]", _dbeta, words=used_at("shift", "sample")),
}
