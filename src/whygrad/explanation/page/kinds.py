"""What kind of sum each operation is: the few that the page can take apart by itself.

A page does not know two dozen operations. It knows windows, matrix products, slopes, routes, rows and
normalisations, and is told here which of them an operation is and with which numbers. Slopes and routes are read
off the rules of ``whygrad.explanation.terms``, so that the page shows what they say and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from whygrad.explanation.page.arrays import Bytes
from whygrad.explanation.terms import RULES, Call, Term, avg_pool2d, conv2d, conv_transpose2d, max_pool2d, total
from whygrad.explanation.terms.rule import Cell, every
from whygrad.ops.windows import Geometry

#: Entries whose terms are written out, at most.
_MOST_LISTED = 4096
Kind = dict[str, Any]


def kind_of(call: Call, kept: Bytes) -> Kind:
    """Return how the page takes a call apart; the arrays that this needs go into ``kept``.

    Example:
        >>> call = Call("linear", {"x": np.ones((1, 2)), "w": np.ones((1, 2))}, {}, np.full((1, 1), 2.0))
        >>> kind_of(call, Bytes("float64"))
        {'kind': 'dense'}
    """
    if call.op not in _KINDS:
        return {"kind": "opaque"}
    return _KINDS[call.op](call, kept)


def _place(where: Geometry) -> Kind:
    return {
        "size": where.size, "kernel": where.kernel, "stride": where.stride, "dilation": where.dilation,
        "before": where.before, "output": where.output,
    }  # fmt: skip


def _conv2d(call: Call, kept: Bytes) -> Kind:
    """Return windows that slide over x."""
    del kept
    groups = int(call.options.get("groups", 1))
    return {"kind": "windowed", "big": "x", "groups": groups, "where": _place(conv2d.where_of(call))}


def _conv_transpose2d(call: Call, kept: Bytes) -> Kind:
    """Return windows that slide over y: the convolution from y to x that this goes backwards through."""
    del kept
    groups = int(call.options.get("groups", 1))
    return {"kind": "windowed", "big": "y", "groups": groups, "where": _place(conv_transpose2d.where_of(call))}


def _dense(call: Call, kept: Bytes) -> Kind:
    del call, kept
    return {"kind": "dense"}


def _mean(call: Call, kept: Bytes) -> Kind:
    """Return windows that pass their mean on, with the share that each entry has in it."""
    where, rows = avg_pool2d.where_of(call), RULES[call.op]["y"]
    share = np.zeros(where.output)
    for i, j in every(*where.output):
        first = next(iter(rows.terms(call, 0, 0, i, j)), None) if call.y.size else None
        share[i, j] = first.factors[0].value if first else 0.0
    return {"kind": "mean", "where": _place(where), "share": kept.add(share, exact=True)}


def _global_mean(call: Call, kept: Bytes) -> Kind:
    size = call.inputs["x"].shape[2:]
    where = Geometry(size, size, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1))
    share = np.full((1, 1), 1 / (prod(size) or 1))
    return {"kind": "mean", "where": _place(where), "share": kept.add(share, exact=True)}


def _pointwise(call: Call, kept: Bytes) -> Kind:
    """Return what every entry of dy is multiplied by, and what the rule says that y is."""
    rules, shape = RULES[call.op], call.y.shape
    filled = call if call.dy is not None else _with_zeros(call)
    slope, value = np.zeros(shape), np.zeros(shape)
    for index in every(*shape):
        value[index] = total(rules["y"].terms(call, *index))
        slope[index] = sum(_without_dy(term) for term in rules["dx"].terms(filled, *index))
    return {"kind": "pointwise", "slope": kept.add(slope), "value": kept.add(value)}


def _without_dy(term: Term) -> float:
    return prod(factor.value for factor in term.factors[1:])


def _routed(call: Call, kept: Bytes) -> Kind:
    """Return, for each input, which of its entries every entry of y shows; −1 for none."""
    terms = RULES[call.op]["y"].terms
    sources = {name: np.full(call.y.size, -1, np.int32) for name in call.inputs}
    constant = 0.0
    for k, index in enumerate(every(*call.y.shape)):
        for term in terms(call, *index):
            factor = term.factors[0]
            if factor.cells:
                cell = factor.cells[0]
                shape = call.inputs[cell.array].shape
                sources[cell.array][k] = np.ravel_multi_index(cell.index, shape) if shape else 0
            else:
                constant = factor.value
    return {
        "kind": "routed",
        "constant": constant,
        "sources": {name: kept.add(source) for name, source in sources.items()},
    }


def _largest(call: Call, kept: Bytes) -> Kind:
    return _routed(call, kept) | {"where": _place(max_pool2d.where_of(call))}


def _rows(call: Call, kept: Bytes) -> Kind:
    del kept
    axis = int(call.options.get("axis", 1)) % call.y.ndim
    return {"kind": "rows", "axis": axis, "logarithm": call.op == "log_softmax"}


def _batch_norm(call: Call, kept: Bytes) -> Kind:
    x, training = call.inputs["x"], bool(call.options["training"])
    mean = x.mean(axis=(0, 2, 3)) if training else call.constants["running_mean"]
    variance = x.var(axis=(0, 2, 3)) if training else call.constants["running_var"]
    return _normalised("channel", call, mean, variance, kept) | {"moving": training}


def _layer_norm(call: Call, kept: Bytes) -> Kind:
    x, own = call.inputs["x"], call.inputs["gamma"].ndim
    rows = x.reshape(prod(x.shape[: x.ndim - own]), -1)
    return _normalised("sample", call, rows.mean(axis=1), rows.var(axis=1), kept) | {"moving": True}


def _normalised(over: str, call: Call, mean: Any, variance: Any, kept: Bytes) -> Kind:
    scale = 1 / np.sqrt(variance + float(call.options.get("eps", 1e-5)))
    return {
        "kind": "normalised",
        "over": over,
        "mean": kept.add(mean, exact=True),
        "scale": kept.add(scale, exact=True),
    }


def _listed(call: Call, kept: Bytes) -> Kind:
    """Return every term of every entry as it is, where there are few."""
    del kept
    rules = RULES[call.op]
    if sum(array.size for array in (call.y, *call.inputs.values())) > _MOST_LISTED:
        return {"kind": "opaque", "why": "It has too many terms to be written out on a page."}
    filled = call if call.dy is not None or not call.y.ndim else _with_zeros(call)
    slopes = {
        name: [
            [_written(call, term) for term in rules[f"d{name}"].terms(filled, *index)] for index in every(*a.shape)
        ]
        for name, a in call.inputs.items()
    }
    value = [[_written(call, term) for term in rules["y"].terms(call, *index)] for index in every(*call.y.shape)]
    return {"kind": "listed", "value": value, "slopes": slopes}


def _with_zeros(call: Call) -> Call:
    """Return a call whose dy is 0, where E does not depend on it."""
    return Call(call.op, call.inputs, call.options, call.y, np.zeros(call.y.shape))


def _written(call: Call, term: Term) -> list[Any]:
    """Return a term's factors, each with its text, value and the entries it is made of."""
    factors = []
    for factor in term.factors:
        cells = [
            [c.array, _flat(call, c)] for c in factor.cells if c.array in ("y", "dy") or c.array in call.inputs
        ]
        factors.append([factor.text, factor.value, cells])
    return factors


def _flat(call: Call, cell: Cell) -> int:
    shape = call.inputs[cell.array].shape if cell.array in call.inputs else call.y.shape
    return int(np.ravel_multi_index(cell.index, shape)) if shape else 0


_KINDS: dict[str, Callable[[Call, Bytes], Kind]] = {
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "linear": _dense,
    "avg_pool2d": _mean,
    "global_avg_pool2d": _global_mean,
    "max_pool2d": _largest,
    **dict.fromkeys(
        ("add", "concat", "flatten", "pad2d", "reshape", "take2d", "transpose", "upsample_nearest2d"), _routed
    ),
    **dict.fromkeys(
        ("clip", "dropout", "elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh"), _pointwise
    ),
    **dict.fromkeys(("softmax", "log_softmax"), _rows),
    "batch_norm2d": _batch_norm,
    "layer_norm": _layer_norm,
    **dict.fromkeys(("lrn", "mul", "scale"), _listed),
    **dict.fromkeys(
        ("binary_cross_entropy", "cross_entropy", "half_squared_error", "hinge", "mean_squared_error"), _listed
    ),
}
