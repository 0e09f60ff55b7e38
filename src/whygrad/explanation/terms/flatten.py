"""What flattening does: it renames entries, (c, a, b) becoming (c·H + a)·W + b."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.explanation.terms.rule import Call, Rule, Term, product


def _y(call: Call, n: int, k: int) -> Iterator[Term]:
    shape = call.inputs["x"].shape[1:]
    at = (int(i) for i in np.unravel_index(k, shape)) if shape else ()
    yield product(call["x"][n, *at])


def _dx(call: Call, n: int, *at: int) -> Iterator[Term]:
    shape = call.inputs["x"].shape[1:]
    yield product(call["dy"][n, int(np.ravel_multi_index(at, shape)) if at else 0])


RULES = {
    "y": Rule("y[n,k] = x[n,c,a,b]", _y, "k = (c·H + a)·W + b"),
    "dx": Rule("dx[n,c,a,b] = dy[n,k]", _dx, "k = (c·H + a)·W + b"),
}
