"""Why no gradient arrives at some entries: closed gates and windows that passed another entry on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from whygrad.explanation.terms.max_pool2d import where_of, winner
from whygrad.explanation.terms.positions import seeing
from whygrad.explanation.trace import LOSS, Layered, Trace

Index = tuple[int, ...]
#: Operations that take every entry by itself, and may let nothing of it through.
_GATES = {"relu": "is closed", "leaky_relu": "is flat", "elu": "is flat", "dropout": "let the unit fall out",
          "clip": "cut the unit off",
          "sigmoid": "is saturated", "tanh": "is saturated", "silu": "is flat", "gelu": "is flat",
          "softplus": "is flat"}  # fmt: skip
#: How many steps downstream are followed.
_DEPTH = 20


def why_zero(trace: Trace, layer: str, indices: Iterable[Index]) -> str:
    """Say which layers behind ``layer`` keep gradient from some entries of its value.

    Returns:
        "at 9 pool1 passed a larger entry on, at 4 relu1 is closed"; empty where it is not known.
    """
    counted = Counter(_reason(trace, layer, index, _DEPTH) for index in indices)
    counted.pop("", None)
    return ", ".join(f"at {count:,} {reason}" for reason, count in counted.most_common(3))


def _reason(trace: Trace, name: str, index: Index, depth: int) -> str:  # noqa: PLR0911 - one for each kind of layer
    uses = trace.values[name].uses
    if len(uses) != 1 or uses[0].call == LOSS or not depth:
        return ""
    layered = trace.calls[uses[0].call]
    if not layered.known:
        return ""
    op, dy = layered.call.op, layered.call.dy
    if dy is None:
        return ""
    if op in _GATES:
        return f"{layered.name} {_GATES[op]}" if dy[index] != 0 else _reason(trace, layered.name, index, depth - 1)
    if op == "batch_norm2d" and not layered.call.options["training"]:
        return _reason(trace, layered.name, index, depth - 1)
    if op == "max_pool2d":
        return _pooled(trace, layered, index, depth)
    if op == "flatten":
        at = (index[0], int(np.ravel_multi_index(index[1:], layered.call.inputs["x"].shape[1:])))
        return _reason(trace, layered.name, at, depth - 1)
    return ""


def _pooled(trace: Trace, layered: Layered, index: Index, depth: int) -> str:
    n, c, a, b = index
    for at in seeing(where_of(layered.call), a, b):
        won = winner(layered.call, n, c, at.i, at.j)
        if (won.a, won.b) == (a, b):
            return _reason(trace, layered.name, (n, c, at.i, at.j), depth - 1)
    return f"{layered.name} passed another entry on"
