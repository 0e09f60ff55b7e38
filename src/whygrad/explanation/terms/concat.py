"""What laying arrays side by side does: every entry of dy goes to the array that its place belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from whygrad.explanation.terms.rule import Call, Rule, Term, product


def _axis(call: Call) -> int:
    axis = int(call.options.get("axis", 1))
    return axis + call.y.ndim if axis < 0 else axis


def _y(call: Call, *index: int) -> Iterator[Term]:
    axis, at = _axis(call), list(index)
    for name, array in call.inputs.items():
        if at[axis] < array.shape[axis]:
            yield product(call[name][tuple(at)])
            return
        at[axis] -= array.shape[axis]


def _dx(which: str, call: Call, *index: int) -> Iterator[Term]:
    axis, at = _axis(call), list(index)
    for name, array in call.inputs.items():
        if name == which:
            break
        at[axis] += array.shape[axis]
    yield product(call["dy"][tuple(at)])


def of_input(name: str) -> Rule:
    """Return the rule of the gradient of one input."""
    return Rule(
        f"d{name}[…,k,…] = dy[…,k+o,…]", partial(_dx, name), f"o entries along the axis stand before {name}"
    )


RULES = {
    "y": Rule("y[…,k,…] = x[…,k−o,…]", _y, "x is the array that place k belongs to, o entries stand before it")
}
