"""What average pooling does: each window passes its mean on, and the gradient goes back in equal shares."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.positions import entry, inside, seeing, seen_from
from whygrad.explanation.terms.rule import Call, Factor, Index, Rule, Term, number, product
from whygrad.explanation.terms.words import carrying, plural
from whygrad.ops.windows import Geometry, four_sides, geometry


def _where(call: Call) -> Geometry:
    size = call.inputs["x"].shape[2:]
    kernel, stride = call.options["kernel_size"], call.options.get("stride")
    options = {name: call.options[name] for name in ("padding", "ceil_mode") if name in call.options}
    return geometry(
        "avg_pool2d", (size[0], size[1]), kernel, stride=kernel if stride is None else stride, **options
    )


def where_of(call: Call) -> Geometry:
    """Return where the windows of a pooling lie."""
    return call.once("where", _where)


def _share(call: Call, i: int, j: int) -> Factor:
    """Return 1/count[i,j]: of the taps in the image, and of those in the padding if they are counted."""
    where = where_of(call)
    top, bottom, left, right = four_sides("avg_pool2d", call.options.get("padding", 0))
    with_padding = call.options.get("count_include_pad", True)
    count = 0
    for r in range(where.kernel[0]):
        for s in range(where.kernel[1]):
            a, b = entry(where, i, j, r, s)
            padded = -top <= a < where.size[0] + bottom and -left <= b < where.size[1] + right
            count += padded if with_padding else inside(where, a, b)
    return number(1 / count, f"1/{count}")


def _y(call: Call, n: int, c: int, i: int, j: int) -> Iterator[Term]:
    share = _share(call, i, j)
    for at in seen_from(where_of(call), i, j):
        yield product(share, call["x"][n, c, at.a, at.b])


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    for at in seeing(where_of(call), a, b):
        yield product(call["dy"][n, c, at.i, at.j], _share(call, at.i, at.j))


def _words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index
    return f"{plural(len(terms), 'window')} saw this entry, and each gives it its share; {carrying(terms)}."


RULES = {
    "y": Rule("y[n,c,i,j] = Σ_{r,s} 1/count[i,j]·x[n,c,i·t+r−p,j·t+s−q]", _y, "t stride, p and q padding"),
    "dx": Rule("dx[n,c,a,b] = Σ_{i,j} dy[n,c,i,j]·1/count[i,j]", _dx, "over all windows that see (a,b)", _words),
}
