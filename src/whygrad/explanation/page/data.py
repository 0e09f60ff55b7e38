"""What a page knows: a trace's arrays, how the layers bind them, and the formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from whygrad.explanation.page.arrays import Bytes, Precision, room
from whygrad.explanation.page.kinds import kind_of
from whygrad.explanation.terms import RULES, rule
from whygrad.explanation.trace import LOSS, Layered, Trace, Value

#: Bytes of a page, at most.
LIMIT = 3_000_000
#: What a page takes before there are numbers in it, and a layer for its names and formulas.
_FRAME, _A_LAYER = 120_000, 6_000

#: What the layer does, in a word or two.
_DOES = {
    "conv2d": "slides its kernels over every channel of its input",
    "conv_transpose2d": "lays its kernels down, one for each input entry, and adds them up",
    "linear": "weighs every input for every output",
    "max_pool2d": "passes the largest entry of each window on",
    "avg_pool2d": "passes the mean of each window on",
    "global_avg_pool2d": "passes the mean of each channel on",
    "flatten": "lines its entries up",
    "pad2d": "puts a margin around the image",
    "reshape": "puts its entries in rows of other lengths",
    "transpose": "puts its axes in another order",
    "take2d": "shows some rows and columns of the image",
    "upsample_nearest2d": "repeats every entry in a block",
    "concat": "lays its inputs side by side",
    "add": "adds its inputs",
    "mul": "multiplies its inputs",
    "scale": "scales and shifts every entry",
    "relu": "lets what is above 0 pass and closes the gate to the rest",
    "clip": "cuts off what lies beyond its bounds",
    "lrn": "divides every entry by the activity of the channels around it",
    "softmax": "turns scores into probabilities",
    "log_softmax": "turns scores into logarithms of probabilities",
    "batch_norm2d": "centres and scales each channel",
    "layer_norm": "centres and scales each sample",
    "dropout": "drops units by chance while training",
}


class Gathered(NamedTuple):
    """A page's numbers and what they mean."""

    facts: dict[str, Any]  #: what goes into the page as JSON
    numbers: str  #: the arrays, in base64
    precision: Precision
    left_out: tuple[str, ...]  #: names of the layers that are too large for the page


def gather(trace: Trace, formula: Callable[[str], str], *, limit: int = LIMIT) -> Gathered:
    """Collect what the page of a trace needs, in float64 if it fits, else in float32, else without some layers.

    Args:
        trace: the pass.
        formula: turns a rule's formula into MathML.
        limit: bytes of the page.

    Example:
        >>> from whygrad.explanation.trace import trace
        >>> from whygrad.layers import Linear
        >>> from whygrad.losses import half_squared_error
        >>> params = {"weight": np.array([[1.0, -1.0]]), "bias": np.array([0.0])}
        >>> pass_ = trace(Linear(2, 1), params, np.ones((1, 2)), np.ones((1, 1)), loss=half_squared_error)
        >>> gathered = gather(pass_, str)
        >>> gathered.precision, gathered.left_out, gathered.facts["layers"][0]["kind"]
        ('float64', (), 'dense')
    """
    precision, left_out = _fit(trace, limit)
    kept = Bytes(precision)
    values = [v for v in trace.values.values() if v.name not in left_out]
    arrays: dict[str, Any] = {}
    for value in values:
        arrays[f"v:{value.name}"] = kept.add(value.array)
        if value.delta is not None:
            arrays[f"d:{value.name}"] = kept.add(value.delta)
    for name in _shown(trace, left_out):
        arrays[f"w:{name}"] = kept.add(trace.params[name])
        if name in trace.gradients:
            arrays[f"g:{name}"] = kept.add(trace.gradients[name])
    arrays["v:E"] = kept.add(np.asarray(trace.error), exact=True)
    facts = {
        "convention": trace.convention,
        "sign": trace.sign,
        "precision": precision,
        "arrays": arrays,
        "values": [_value(value) for value in trace.values.values()],
        "layers": [_layer(one, trace, left_out, kept, formula) for one in trace.calls.values()],
        "uses": {name: [list(use) for use in uses] for name, uses in trace.uses.items()},
        "leftOut": list(left_out),
    }
    return Gathered(facts, kept.base64(), precision, left_out)


def _fit(trace: Trace, limit: int) -> tuple[Precision, tuple[str, ...]]:
    """Return the precision in which the page stays under its limit, and the layers that it has to do without."""
    space = limit - _FRAME - _A_LAYER * len(trace.calls)
    sizes = {name: _numbers(one, trace) for name, one in trace.calls.items() if name != LOSS}
    inputs = sum(2 * v.array.size for v in trace.values.values() if v.name not in trace.calls)
    precisions: tuple[Precision, ...] = ("float64", "float32")
    for precision in precisions:
        if room(inputs + sum(sizes.values()), precision) <= space:
            return precision, ()
    used, left_out = inputs, []
    for name, size in sizes.items():
        if room(used + size, "float32") > space:
            left_out.append(name)
        else:
            used += size
    return "float32", tuple(left_out)


def _numbers(one: Layered, trace: Trace) -> int:
    """Return how many numbers a layer brings: value, delta, slopes or routes, parameters and their gradients."""
    own = sum(2 * trace.params[name].size for name in _parameters(one, trace))
    return 4 * one.call.y.size + own


def _parameters(one: Layered, trace: Trace) -> dict[str, str]:
    """Return a layer's parameters with the names that its operation has for them."""
    found = {full: argument for argument, full in one.bindings.items() if argument in one.call.inputs}
    return {full: argument for full, argument in found.items() if full in trace.params and argument != "x"}


def _shown(trace: Trace, left_out: tuple[str, ...]) -> dict[str, None]:
    kept = [one for name, one in trace.calls.items() if name not in left_out]
    return {name: None for one in kept for name in _parameters(one, trace)}


def _value(value: Value) -> dict[str, Any]:
    return {"name": value.name, "shape": list(value.array.shape), "uses": [list(use) for use in value.uses]}


def _layer(
    one: Layered, trace: Trace, left_out: tuple[str, ...], kept: Bytes, formula: Callable[[str], str]
) -> dict[str, Any]:
    call, parameters = one.call, _parameters(one, trace)
    binding = {argument: f"w:{full}" for full, argument in parameters.items()}
    inputs = {argument: one.bindings[argument] for argument in call.inputs if argument not in binding}
    missing = [name for name in (one.name, *inputs.values()) if name in left_out]
    described = {"kind": "opaque", "why": "Its rules are not known here, and only its numbers are shown."}
    if missing:
        described["why"] = f"Too large for this page: {', '.join(dict.fromkeys(missing))}."
    elif one.known:
        described = kind_of(call, kept)
    output = "E" if one.name == LOSS else one.name
    return {
        "name": one.name,
        "op": call.op,
        "title": repr(one.layer) if one.known and one.layer is not None else call.op,
        "does": _DOES.get(call.op, "gives the error" if one.name == LOSS else "bends every entry by itself"),
        "inputs": inputs,
        "parameters": {argument: full for full, argument in parameters.items()},
        "output": output,
        "tensors": {
            **{argument: f"v:{name}" for argument, name in inputs.items()}, **binding,
            "y": f"v:{output}", "dy": f"d:{output}",
        },
        "formulas": _formulas(one, formula),
        **described,
    }  # fmt: skip


def _formulas(one: Layered, formula: Callable[[str], str]) -> dict[str, list[str]]:
    if not one.known or one.call.op not in RULES:
        return {}
    rules = {"y": rule(one.call.op, "y")}
    for argument in one.call.inputs:
        rules[f"d{argument}"] = rule(one.call.op, f"d{argument}")
    return {name: [formula(found.formula), found.where] for name, found in rules.items()}
