"""What reshaping does: it renames entries, which keep their order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.explanation.terms.rule import Call, Index, Rule, Term, product
from whygrad.typing import Shape


def _moved(index: Index, shape: Shape, other: Shape) -> Index:
    """Return the index in another shape of the entry that has this one in ``shape``."""
    at = int(np.ravel_multi_index(index, shape)) if shape else 0
    return tuple(int(i) for i in np.unravel_index(at, other)) if other else ()


def _y(call: Call, n: int, *k: int) -> Iterator[Term]:
    yield product(call["x"][n, *_moved(k, call.y.shape[1:], call.inputs["x"].shape[1:])])


def _dx(call: Call, n: int, *k: int) -> Iterator[Term]:
    yield product(call["dy"][n, *_moved(k, call.inputs["x"].shape[1:], call.y.shape[1:])])


_WHERE = "m is the place of k in the other shape, both counted with the last axis fastest"
RULES = {"y": Rule("y[n,k] = x[n,m]", _y, _WHERE), "dx": Rule("dx[n,k] = dy[n,m]", _dx, _WHERE)}
