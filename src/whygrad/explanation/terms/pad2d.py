"""What padding does: every entry of y shows one entry of x, or a constant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.explanation.terms.rule import Call, Index, Rule, Term, number, product
from whygrad.explanation.terms.words import plural
from whygrad.ops.windows import four_sides
from whygrad.typing import IntArray

_MODES = {"reflect": "reflect", "replicate": "edge"}


def _sources(call: Call) -> tuple[IntArray, IntArray]:
    """Return, for each row and column of y, the row and column of x that it shows, or −1."""
    height, width = call.inputs["x"].shape[2:]
    top, bottom, left, right = four_sides("pad2d", call.options["padding"])
    mode = call.options.get("mode", "constant")
    found = []
    for size, sides in ((height, (top, bottom)), (width, (left, right))):
        if mode == "constant":
            found.append(np.pad(np.arange(size), sides, constant_values=-1))
        else:
            found.append(np.pad(np.arange(size), sides, mode=_MODES[mode]))  # type: ignore[call-overload]
    return found[0], found[1]


def _y(call: Call, n: int, c: int, i: int, j: int) -> Iterator[Term]:
    rows, columns = call.once("sources", _sources)
    a, b = int(rows[i]), int(columns[j])
    if a < 0 or b < 0:
        yield product(number(float(call.options.get("value", 0.0))), note="padding")
    else:
        yield product(call["x"][n, c, a, b])


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    rows, columns = call.once("sources", _sources)
    for i in np.flatnonzero(rows == a):
        for j in np.flatnonzero(columns == b):
            yield product(call["dy"][n, c, int(i), int(j)])


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index
    return f"This entry is shown at {plural(len(terms), 'place')} of the padded image."


RULES = {
    "y": Rule("y[n,c,i,j] = x[n,c,rows[i],columns[j]]", _y, "value where there is no such row or column"),
    "dx": Rule(
        "dx[n,c,a,b] = Σ_{i,j} dy[n,c,i,j]", _dx, "over all i and j with rows[i] = a and columns[j] = b", _words
    ),
}
