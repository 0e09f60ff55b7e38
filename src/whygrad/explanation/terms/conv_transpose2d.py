"""What the entries of a transposed convolution and of its gradients are sums of."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.conv2d import bias, db
from whygrad.explanation.terms.positions import seeing, seen_from, seen_through
from whygrad.explanation.terms.rule import Call, Rule, Term, product
from whygrad.explanation.terms.words import used_at
from whygrad.ops.conv_transpose2d import transposed_geometry
from whygrad.ops.windows import Geometry

_LETTERS = "t stride, d dilation, p and q what is cut off above and to the left"


def _where(call: Call) -> Geometry:
    """Return where the windows lie of the convolution from y to x that this call transposes."""
    x, w = call.inputs["x"], call.inputs["w"]
    given = [call.options.get(name, usual) for name, usual in _OPTIONS.items()]
    return transposed_geometry((x.shape[2], x.shape[3]), (w.shape[2], w.shape[3]), *given)


_OPTIONS = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}


def where_of(call: Call) -> Geometry:
    """Return where the windows lie of the convolution from y to x that this call transposes."""
    return call.once("where", _where)


def _group(call: Call, f: int) -> tuple[int, int, int]:
    """Return the group of output channel f, its place in the group, and how many input channels a group has."""
    group, own = divmod(f, call.inputs["w"].shape[1])
    return group, own, call.inputs["x"].shape[1] // int(call.options.get("groups", 1))


def _y(call: Call, n: int, f: int, i: int, j: int) -> Iterator[Term]:
    x, w = call["x"], call["w"]
    group, own, channels = _group(call, f)
    for c in range(group * channels, (group + 1) * channels):
        for at in seeing(where_of(call), i, j):
            yield product(w[c, own, at.r, at.s], x[n, c, at.i, at.j])
    if "b" in call.inputs:
        yield product(bias(call, f, i, j))


def _dx(call: Call, n: int, c: int, a: int, b: int) -> Iterator[Term]:
    dy, w = call["dy"], call["w"]
    for own in range(w.array.shape[1]):
        f = _output_channel(call, c, own)
        for at in seen_from(where_of(call), a, b):
            yield product(dy[n, f, at.a, at.b], w[c, own, at.r, at.s])


def _dw(call: Call, c: int, own: int, r: int, s: int) -> Iterator[Term]:
    dy, x = call["dy"], call["x"]
    f = _output_channel(call, c, own)
    for n in range(len(x.array)):
        for at in seen_through(where_of(call), r, s):
            yield product(dy[n, f, at.a, at.b], x[n, c, at.i, at.j])


def _output_channel(call: Call, c: int, own: int) -> int:
    channels = call.inputs["x"].shape[1] // int(call.options.get("groups", 1))
    return c // channels * call.inputs["w"].shape[1] + own


RULES = {
    "y": Rule(
        "y[n,f,a,b] = Σ_{c,i,j,r,s} w[c,f,r,s]·x[n,c,i,j] + b[f]",
        _y,
        "over all i·t + r·d − p = a and j·t + s·d − q = b; " + _LETTERS,
    ),
    "dx": Rule(
        "dx[n,c,i,j] = Σ_{f,r,s} dy[n,f,i·t+r·d−p,j·t+s·d−q]·w[c,f,r,s]",
        _dx,
        _LETTERS,
        used_at("entry", "product"),
    ),
    "dw": Rule(
        "dw[c,f,r,s] = Σ_{n,i,j} dy[n,f,i·t+r·d−p,j·t+s·d−q]·x[n,c,i,j]",
        _dw,
        _LETTERS,
        used_at("weight", "position"),
    ),
    "db": Rule("db[f] = Σ_{n,i,j} dy[n,f,i,j]", db, words=used_at("bias", "position")),
}
