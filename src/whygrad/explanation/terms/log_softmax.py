"""What a log-softmax's value and gradient are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.rule import MINUS_ONE, Call, Cell, Factor, Rule, Term, product
from whygrad.explanation.terms.softmax import along, class_of


def _y(call: Call, *index: int) -> Iterator[Term]:
    places = [at for _, at in along(call, index)]
    values = np.array([call["x"][at].value for at in places])
    largest = values.max()
    log_sum = float(largest + np.log(np.exp(values - largest).sum()))
    yield product(call["x"][index])
    yield product(MINUS_ONE, Factor("log(Σ_{m} e^(x[m]))", log_sum, tuple(Cell("x", at) for at in places)))


def _dx(call: Call, *index: int) -> Iterator[Term]:
    y, k = call["y"][index], class_of(call, index)
    probability = float(np.exp(y.value))
    for m, at in along(call, index):
        yield product(call["dy"][at], of(f"([{k} = {m}] - e^({{0}}))", float(k == m) - probability, y, size=1.0))


RULES = {
    "y": Rule("y[k] = x[k] − log(Σ_{m} e^(x[m]))", _y, "over the classes m of a row"),
    "dx": Rule("dx[k] = Σ_{m} dy[m]·([k = m] − e^(y[k]))", _dx, "over the classes m of a row"),
}
