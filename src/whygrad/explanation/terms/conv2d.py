"""What the entries of a convolution and of its gradients are sums of."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.positions import LETTERS, seeing, seen_from, seen_through
from whygrad.explanation.terms.rule import Call, Factor, Index, Rule, Term, every, product
from whygrad.explanation.terms.words import carrying, plural, used_at
from whygrad.ops.windows import Geometry, geometry


def _where(call: Call) -> Geometry:
    x, w = call.inputs["x"], call.inputs["w"]
    options = {name: call.options[name] for name in ("stride", "padding", "dilation") if name in call.options}
    return geometry("conv2d", (x.shape[2], x.shape[3]), (w.shape[2], w.shape[3]), **options)


def where_of(call: Call) -> Geometry:
    """Return where the windows of a convolution lie."""
    return call.once("where", _where)


def _y(call: Call, n: int, f: int, i: int, j: int) -> Iterator[Term]:
    x, w = call["x"], call["w"]
    first = _first_channel(call, f)
    for c in range(w.array.shape[1]):
        for at in seen_from(where_of(call), i, j):
            yield product(w[f, c, at.r, at.s], x[n, first + c, at.a, at.b])
    if "b" in call.inputs:
        yield product(bias(call, f, i, j))


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    dy, w = call["dy"], call["w"]
    in_group, filters = w.array.shape[1], _filters_a_group(call)
    group, own = divmod(c, in_group)
    for f in range(group * filters, (group + 1) * filters):
        for at in seeing(where_of(call), a, b):
            yield product(dy[n, f, at.i, at.j], w[f, own, at.r, at.s])


def _dw(call: Call, f: int, c: int, r: int, s: int) -> Iterator[Term]:
    dy, x = call["dy"], call["x"]
    channel = _first_channel(call, f) + c
    for n in range(len(x.array)):
        for at in seen_through(where_of(call), r, s):
            yield product(dy[n, f, at.i, at.j], x[n, channel, at.a, at.b])


def db(call: Call, f: int, *position: int) -> Iterator[Term]:
    """Yield the dy of every entry to which a bias was added: one a channel, or one an output position."""
    dy = call["dy"]
    samples, _, rows, columns = dy.array.shape
    for n in range(samples):
        for i, j in [position] if position else every(rows, columns):
            yield product(dy[n, f, i, j])


def bias(call: Call, f: int, i: int, j: int) -> Factor:
    """Return the bias that is added at (f, i, j)."""
    b = call["b"]
    return b[f] if b.array.ndim == 1 else b[f, i, j]


def _filters_a_group(call: Call) -> int:
    return call.inputs["w"].shape[0] // int(call.options.get("groups", 1))


def _first_channel(call: Call, f: int) -> int:
    """Return the first of the channels that filter f sees."""
    return f // _filters_a_group(call) * call.inputs["w"].shape[1]


def _weight_words(call: Call, index: Index, terms: list[Term]) -> str:
    del index
    used = len(call.inputs["x"]) * call.y.shape[2] * call.y.shape[3]
    beyond = used - len(terms)
    margin = f", {plural(beyond, 'of them')} over the padding, which is 0" if beyond else ""
    return f"This weight was used at {plural(used, 'position')}{margin}; {carrying(terms)}."


def _input_words(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index
    if not terms:
        return "No window sees this entry."
    outputs = {factor.cells[0].index[2:] for term in terms for factor in term.factors[:1]}
    return f"This entry fed {plural(len(terms), 'product')} in {plural(len(outputs), 'window')}; {carrying(terms)}."


RULES = {
    "y": Rule("y[n,f,i,j] = Σ_{c,r,s} w[f,c,r,s]·x[n,c,i·t+r·d−p,j·t+s·d−q] + b[f]", _y, LETTERS),
    "dx": Rule(
        "dx[n,c,a,b] = Σ_{f,i,j,r,s} dy[n,f,i,j]·w[f,c,r,s]",
        _dx,
        "over all i·t + r·d − p = a and j·t + s·d − q = b; " + LETTERS,
        _input_words,
    ),
    "dw": Rule("dw[f,c,r,s] = Σ_{n,i,j} dy[n,f,i,j]·x[n,c,i·t+r·d−p,j·t+s·d−q]", _dw, LETTERS, _weight_words),
    "db": Rule("db[f] = Σ_{n,i,j} dy[n,f,i,j]", db, words=used_at("bias", "position")),
}
