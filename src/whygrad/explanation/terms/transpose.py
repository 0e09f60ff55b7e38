"""What transposing does: it renames entries, whose indices change places."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.explanation.terms.rule import Call, Rule, Term, product


def _axes(call: Call) -> tuple[int, ...]:
    return tuple(call.options["axes"])


def _y(call: Call, *index: int) -> Iterator[Term]:
    at = [0] * len(index)
    for axis, i in zip(_axes(call), index, strict=True):
        at[axis] = i
    yield product(call["x"][tuple(at)])


def _dx(call: Call, *index: int) -> Iterator[Term]:
    yield product(call["dy"][tuple(index[axis] for axis in _axes(call))])


_WHERE = "m is k with its indices in the order of the other array"
RULES = {"y": Rule("y[k] = x[m]", _y, _WHERE), "dx": Rule("dx[k] = dy[m]", _dx, _WHERE)}
