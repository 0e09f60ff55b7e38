"""What a softmax's value and gradient are: the whole Jacobian takes part, not its diagonal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.rule import Call, Cell, Index, Rule, Term, product


def along(call: Call, index: Index) -> Iterator[tuple[int, Index]]:
    """Yield every class m, and the index with m in place of its class."""
    axis = int(call.options.get("axis", 1)) % call.y.ndim
    for m in range(call.y.shape[axis]):
        yield m, (*index[:axis], m, *index[axis + 1 :])


def class_of(call: Call, index: Index) -> int:
    """Return the class that an index names."""
    return index[int(call.options.get("axis", 1)) % call.y.ndim]


def _y(call: Call, *index: int) -> Iterator[Term]:
    row = [call["x"][at] for _, at in along(call, index)]
    values = np.array([entry.value for entry in row])
    e = np.exp(values - values.max())
    k = class_of(call, index)
    factor = of("e^({0})/Σ_{{m}} e^(x[m])", float(e[k] / e.sum()), call["x"][index])
    yield product(factor._replace(cells=tuple(Cell("x", at) for _, at in along(call, index))))


def _dx(call: Call, *index: int) -> Iterator[Term]:
    y, k = call["y"], class_of(call, index)
    for m, at in along(call, index):
        other = of(f"([{k} = {m}] - {{0}})", float(k == m) - y[index].value, y[index], size=1.0)
        yield product(call["dy"][at], y[at], other)


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del terms
    share = call["y"][index].value
    return f"Raising this score raises its own probability, {share:.3g} now, and takes from all the others."


RULES = {
    "y": Rule("y[k] = e^(x[k])/Σ_{m} e^(x[m])", _y, "over the classes m of a row"),
    "dx": Rule("dx[k] = Σ_{m} dy[m]·y[m]·([k = m] − y[k])", _dx, "over the classes m of a row", _words),
}
