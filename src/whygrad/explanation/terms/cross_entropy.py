"""What cross-entropy and its gradient are: probability minus target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from whygrad.explanation.terms.rule import Call, Cell, Factor, Index, Rule, Term, every, number, product
from whygrad.typing import Array


class _Row(NamedTuple):
    """One sample at one position."""

    log_p: Array  #: (K,)
    a: Array  #: (K,), how much each class is wanted


def _weights(call: Call) -> Array:
    given = call.options.get("class_weights")
    classes = call.inputs["z"].shape[1]
    return np.ones(classes) if given is None else np.asarray(given, np.float64)


def is_plain(call: Call) -> bool:
    """Return whether a class is wanted or not: no smoothing, no weights, no probabilities."""
    simple = not call.options.get("label_smoothing") and call.options.get("class_weights") is None
    return simple and call.constants["t"].dtype.kind in "iu"


def _row(call: Call, n: int, position: Index) -> _Row:
    z, t = call.inputs["z"], call.constants["t"]
    scores = np.array([z[n, k, *position] for k in range(z.shape[1])], np.float64)
    shifted = scores - scores.max()
    if t.dtype.kind in "iu":
        q = np.zeros(len(scores))
        q[int(t[n, *position])] = 1
    else:
        q = np.array([t[n, k, *position] for k in range(len(scores))], np.float64)
    epsilon = float(call.options.get("label_smoothing", 0.0))
    a = _weights(call) * ((1 - epsilon) * q + epsilon / len(scores))
    return _Row(shifted - np.log(np.exp(shifted).sum()), a)


def _rows(call: Call) -> dict[tuple[int, Index], _Row]:
    z = call.inputs["z"]
    return {(n, at): _row(call, n, tuple(at)) for n, *rest in every(len(z), *z.shape[2:]) for at in [tuple(rest)]}


def _count(call: Call) -> float:
    rows: dict[Any, _Row] = call.once("rows", _rows)
    if call.options.get("reduction", "mean") == "sum" or not rows:
        return 1.0
    t = call.constants["t"]
    if t.dtype.kind in "iu" and call.options.get("class_weights") is not None:
        return float(_weights(call)[t].sum()) or 1.0
    return float(len(rows))


def share_of(count: float) -> tuple[Factor, ...]:
    """Return the factor 1/N of a mean, none where nothing is divided."""
    return () if count == 1 else (number(1 / count, f"1/{count:.6g}"),)


def _value(call: Call) -> Iterator[Term]:
    for (n, at), row in call.once("rows", _rows).items():
        for k in np.flatnonzero(row.a > 0):
            wanted = () if is_plain(call) else (Factor(f"a[{_written(n, k, at)}]", float(row.a[k])),)
            text = f"log(p[{_written(n, k, at)}])"
            log_p = Factor(text, float(row.log_p[k]), _cells(call, n, at))
            yield product(number(-1.0), *share_of(_count(call)), *wanted, log_p)


def _dz(call: Call, n: int, m: int, *at: int) -> Iterator[Term]:
    row: _Row = call.once("rows", _rows)[n, at]
    share, written = share_of(_count(call)), _written(n, m, at)
    p = Factor(f"p[{written}]", math.exp(row.log_p[m]), _cells(call, n, at))
    if is_plain(call):
        label = int(call.constants["t"][n, *at])
        yield product(*share, p)
        yield product(number(-1.0), *share, Factor(f"[{label} = {m}]", float(row.a[m])))
    else:
        yield product(*share, p, Factor(f"Σ_{{k}} a[{_written(n, 'k', at)}]", float(row.a.sum())))
        yield product(number(-1.0), *share, Factor(f"a[{written}]", float(row.a[m])))


def _cells(call: Call, n: int, at: Index) -> tuple[Cell, ...]:
    return tuple(Cell("z", (n, k, *at)) for k in range(call.inputs["z"].shape[1]))


def _written(n: int, k: Any, at: Index) -> str:
    return ",".join(map(str, (n, k, *at)))


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del terms
    n, m, *at = index
    row: _Row = call.once("rows", _rows)[n, tuple(at)]
    return f"The softmax gives class {m} the probability {math.exp(row.log_p[m]):.3g}, the target {row.a[m]:.3g}."


_WHERE = (
    "p is the softmax of the row; a is the target, 1 for the right class unless smoothed or weighted; "
    "N counts the samples"
)
RULES = {
    "y": Rule("E = −1/N·Σ_{n,k} a[n,k]·log(p[n,k])", _value, _WHERE),
    "dz": Rule("dz[n,m] = 1/N·(p[n,m]·Σ_{k} a[n,k] − a[n,m])", _dz, _WHERE, _words),
}
