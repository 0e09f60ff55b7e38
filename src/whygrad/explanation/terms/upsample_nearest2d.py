"""What upsampling does: every entry is repeated in a block, and gets the sum of the block's gradients."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Rule, Term, every, product
from whygrad.explanation.terms.words import used_at


def _block(call: Call) -> tuple[int, int]:
    x, y = call.inputs["x"], call.y
    return y.shape[2] // x.shape[2], y.shape[3] // x.shape[3]


def _y(call: Call, n: int, c: int, i: int, j: int) -> Iterator[Term]:
    v, h = _block(call)
    yield product(call["x"][n, c, i // v, j // h])


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    v, h = _block(call)
    for i, j in every(v, h):
        yield product(call["dy"][n, c, a * v + i, b * h + j])


RULES = {
    "y": Rule("y[n,c,i,j] = x[n,c,floor(i/v),floor(j/h)]", _y, "v and h are the size of a block"),
    "dx": Rule(
        "dx[n,c,a,b] = Σ_{i,j} dy[n,c,a·v+i,b·h+j]",
        _dx,
        "v and h are the size of a block",
        used_at("entry", "place"),
    ),
}
