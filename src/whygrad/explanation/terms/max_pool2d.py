"""What max-pooling does: the largest entry of a window passes on, and the gradient goes back to it alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.explanation.terms.positions import Seen, seeing, seen_from
from whygrad.explanation.terms.rule import Call, Cell, Factor, Index, Rule, Term, product
from whygrad.explanation.terms.words import plural
from whygrad.ops.windows import Geometry, geometry


def _where(call: Call) -> Geometry:
    size = call.inputs["x"].shape[2:]
    options = {name: call.options[name] for name in ("padding", "dilation", "ceil_mode") if name in call.options}
    kernel = call.options["kernel_size"]
    stride = call.options.get("stride")
    return geometry(
        "max_pool2d", (size[0], size[1]), kernel, stride=kernel if stride is None else stride, **options
    )


def where_of(call: Call) -> Geometry:
    """Return where the windows of a pooling lie."""
    return call.once("where", _where)


def winner(call: Call, n: int, c: int, i: int, j: int) -> Seen:
    """Return the entry of a window that is largest, the first of equal ones."""
    seen = list(seen_from(where_of(call), i, j))
    x = call.inputs["x"]
    return seen[int(np.argmax([x[n, c, at.a, at.b] for at in seen]))]


def _y(call: Call, n: int, c: int, i: int, j: int) -> Iterator[Term]:
    x, seen = call["x"], list(seen_from(where_of(call), i, j))
    won = winner(call, n, c, i, j)
    values = ", ".join(f"{x[n, c, at.a, at.b].value:.6g}" for at in seen[:9])
    more = ", ..." if len(seen) > 9 else ""
    yield product(x[n, c, won.a, won.b], note=f"the largest of {len(seen)}: {values}{more}")


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    dy = call["dy"]
    for at in seeing(where_of(call), a, b):
        won = winner(call, n, c, at.i, at.j)
        here = (won.a, won.b) == (a, b)
        text = f"[winner[{n},{c},{at.i},{at.j}] = ({a},{b})]"
        gate = Factor(text, float(here), (Cell("x", (n, c, won.a, won.b)),))
        yield product(dy[n, c, at.i, at.j], gate, note="" if here else f"({won.a}, {won.b}) was larger")


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index
    if not terms:
        return "No window sees this entry."
    won = sum(term.factors[1].value == 1 for term in terms)
    if len(terms) == 1:
        return (
            "This entry was the largest of its window, which passes its gradient on to it."
            if won
            else ("Another entry of the window was larger, so that no gradient comes here.")
        )
    return f"{plural(len(terms), 'window')} saw this entry, and it was the largest of {won}."


RULES = {
    "y": Rule("y[n,c,i,j] = max_{r,s} x[n,c,i·t+r·d−p,j·t+s·d−q]", _y, "t stride, d dilation, p and q padding"),
    "dx": Rule(
        "dx[n,c,a,b] = Σ_{i,j} dy[n,c,i,j]·[winner[n,c,i,j] = (a,b)]",
        _dx,
        "over all windows that see (a,b); winner is the place of a window's largest entry, the first of equal ones",
        _words,
    ),
}
