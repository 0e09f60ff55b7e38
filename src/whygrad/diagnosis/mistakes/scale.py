"""What people get wrong about scale and shift: dx = dy·w, dw = Σ dy·x, db = Σ dy.

The sums are over the samples and over every axis along which one weight serves several entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

DX = "dx = dy * w"
DW = "dw = (dy * x).sum(axis=axes).reshape(w.shape)  # axes: 0 and those where w has size 1"
DB = "db = dy.sum(axis=axes).reshape(b.shape)  # axes: 0 and those where b has size 1"


def value(p: Probe, joints: Joints) -> Array:
    """The scaled and shifted samples, w·x + b."""
    return p["x"] * p["w"] + p["b"]


def dx(p: Probe, joints: Joints) -> Array:
    """Weigh dy as x was weighed."""
    return p.dy * p["w"]


def dw(p: Probe, joints: Joints) -> Array:
    """Add up dy·x over all entries that a weight served."""
    return _summed(p, "w", p.dy * p["x"])


def db(p: Probe, joints: Joints) -> Array:
    """Add up dy over all entries that a bias served."""
    return _summed(p, "b", p.dy)


def _axes(p: Probe, name: str) -> tuple[int, ...]:
    return (0, *(i for i, n in enumerate(p[name].shape, 1) if n == 1))


def _summed(p: Probe, name: str, d: Array) -> Array:
    return d.sum(_axes(p, name)).reshape(p[name].shape)


def _batch_only(name: str) -> Any:
    def wrong(p: Probe) -> Array:
        fitting(len(_axes(p, name)) > 1)
        return (p.dy * p["x"] if name == "w" else p.dy).sum(0)

    return wrong


def _batch_left_out(name: str) -> Any:
    def wrong(p: Probe) -> Array:
        d = p.dy * p["x"] if name == "w" else p.dy
        return d.sum(_axes(p, name)[1:], keepdims=True) if len(_axes(p, name)) > 1 else d

    return wrong


MISTAKES = (
    mistake("bn_gamma_missing", "dx", "whole", lambda p: p.dy, "is dy as it comes: the factor w is left out", DX,
            also="missing_activation_derivative dx_not_propagated"),
    mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * p["w"] + p["b"], "has the bias added", DX),
    mistake("activation_derivative_of_wrong_tensor", "dx", "whole", lambda p: p.dy * p["x"],
            "is dy times x: the factor is w", DX, also="returns_wrong_variable"),
    mistake("activation_derivative_formula_wrong", "dx", "whole", lambda p: p.dy / p["w"], "is divided by w", DX),
    mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * p["w"] ** 2, "contains w twice", DX),
    mistake("output_used_instead_of_input", "dw", "whole", lambda p: _summed(p, "w", p.dy * p.y),
            "is made with the output y in place of x", DW),
    mistake("bn_xhat_missing", "dw", "whole", lambda p: _summed(p, "w", p.dy), "is Σ dy: the factor x is left out",
            DW, also="returns_wrong_variable"),
    mistake("extra_factor_in_delta", "dw", "whole", lambda p: _summed(p, "w", p.dy * p["x"]) * p["w"],
            "is multiplied by w besides", DW),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: _summed(p, "b", p.dy * p["x"]),
            "is made with x as a weight's gradient is", DB),
    mistake("batch_sum_missing", "dw", "whole", _batch_left_out("w"), "is not summed over the samples", DW),
    mistake("batch_sum_missing", "db", "whole", _batch_left_out("b"), "is not summed over the samples", DB,
            also="bias_gradient_wrong_axes"),
    mistake("axis_wrong", "dw", "whole", _batch_only("w"),
            "is summed over the samples alone, not over the entries that share a weight", DW),
    mistake("bias_gradient_wrong_axes", "db", "whole", _batch_only("b"),
            "is summed over the samples alone, not over the entries that share a bias", DB, also="axis_wrong"),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p["w"], "is w itself", DW),
    mistake("returns_wrong_variable", "db", "whole", lambda p: p["b"], "is b itself", DB,
            also="update_uses_wrong_variable"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", DX),
    mistake("forward_formula_wrong", "y", "whole", lambda p: (p["x"] + p["b"]) * p["w"], "scales the bias as well",
            "x * w + b"),
    *c.common("dx dw db", zero={"db": "missing_bias_gradient"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return one weight a channel, one an entry, and one in all."""
    made = []
    kinds = (
        ((3, 2, 4, 5), (2, 1, 1), (2, 1, 1)),
        ((4, 3), (3,), (3,)),
        ((2, 3, 4), (3, 4), (3, 1)),
        ((3, 5), (1,), (5,)),
    )
    for shape, weights, biases in kinds:
        inputs = {"x": spaced(rng, *shape), "w": spaced(rng, *weights) + 1.7, "b": spaced(rng, *biases)}
        tags = frozenset({"weights that serve several entries"} if 1 in weights else ())
        name = f"{shape} by {weights}"
        made.append(Probe(name, inputs, rng.normal(size=shape) + 0.3, subject, tags=tags))
    return made


SUBJECT = Subject("scale", ("x", "w", "b"), {"dx": dx, "dw": dw, "db": db}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "size": p["x"].size / p["w"].size},
                  lines={"dx": DX, "dw": DW, "db": DB})  # fmt: skip
