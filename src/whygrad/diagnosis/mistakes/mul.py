"""What people get wrong about a product: each factor gets dy times the other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "da, db = dy * b, dy * a  # db summed over the axes along which one entry of b serves several"


def value(p: Probe, joints: Joints) -> Array:
    """The product a·b, where b may have size 1 along an axis."""
    return p["a"] * p["b"]


def da(p: Probe, joints: Joints) -> Array:
    """Weigh dy by the other factor."""
    return p.dy * p["b"]


def db(p: Probe, joints: Joints) -> Array:
    """Weigh dy by the other factor, summed over what an entry of b gated."""
    return _over_gates(p, p.dy * p["a"])


def _gated(p: Probe) -> tuple[int, ...]:
    return tuple(i for i, (n, m) in enumerate(zip(p["b"].shape, p["a"].shape, strict=True)) if n == 1 != m)


def _over_gates(p: Probe, d: Array) -> Array:
    return d.sum(_gated(p), keepdims=True)


def _mean(p: Probe) -> Array:
    fitting(bool(_gated(p)))
    return (p.dy * p["a"]).mean(_gated(p), keepdims=True)


def _unsummed(p: Probe) -> Array:
    fitting(bool(_gated(p)))
    return p.dy * p["a"]


def _one_axis(p: Probe) -> Array:
    fitting(len(_gated(p)) > 1)
    return (p.dy * p["a"]).sum(_gated(p)[-1], keepdims=True)


MISTAKES = (
    mistake("activation_derivative_of_wrong_tensor", "da", "whole", lambda p: p.dy * p["a"],
            "is dy times a itself, where the other factor b is due", LINE, also="sign_or_order_wrong"),
    mistake("activation_derivative_of_wrong_tensor", "db", "whole", lambda p: _over_gates(p, p.dy * p["b"]),
            "is dy times b itself, where the other factor a is due", LINE, also="sign_or_order_wrong"),
    mistake("output_used_instead_of_input", "da", "whole", lambda p: p.dy * p.y, "is dy times the product", LINE,
            also="activation_derivative_of_wrong_tensor"),
    mistake("output_used_instead_of_input", "db", "whole", lambda p: _over_gates(p, p.dy * p.y),
            "is dy times the product", LINE, also="activation_derivative_of_wrong_tensor"),
    mistake("missing_activation_derivative", "da", "whole", lambda p: p.dy, "is dy as it comes, as if a sum were "
            "meant: the factor b is left out", LINE),
    mistake("missing_activation_derivative", "db", "whole", lambda p: _over_gates(p, p.dy), "is dy as it comes, as "
            "if a sum were meant: the factor a is left out", LINE),
    mistake("batch_sum_missing", "db", "whole", _unsummed, "is not summed over what an entry of b gated", LINE,
            also="axis_wrong"),
    mistake("batch_sum_missing", "db", "whole", _one_axis, "is summed over one of the axes along which b is spread",
            LINE, also="axis_wrong"),
    mistake("batch_scale_wrong", "db", "whole", _mean, "is the mean over what an entry of b gated, not the sum",
            LINE),
    mistake("extra_factor_in_delta", "da", "whole", lambda p: p.dy * p["b"] * p["a"], "is multiplied by a besides",
            LINE),
    mistake("returns_wrong_variable", "da", "whole", lambda p: p["a"], "is a itself", LINE),
    mistake("returns_wrong_variable", "db", "whole", lambda p: p["b"], "is b itself", LINE),
    mistake("returns_wrong_variable", "da", "whole", lambda p: p.y, "is the product itself", LINE),
    mistake("forward_formula_wrong", "y", "whole", lambda p: p["a"] + p["b"], "is the sum", "a * b"),
    *c.common("da db", zero={"da": "dx_not_propagated", "db": "dx_not_propagated"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return pairs of one shape, and gates that serve a channel or a pixel."""
    made = []
    pairs = (((2, 3, 4), (2, 3, 4)), ((3, 5), (3, 5)), ((2, 3, 4, 5), (2, 3, 1, 1)), ((3, 2, 4, 3), (3, 1, 4, 3)))
    for shape, gates in pairs:
        inputs = {"a": spaced(rng, *shape), "b": spaced(rng, *gates)}
        tags = frozenset({"an entry of b that serves several of a"} if gates != shape else ())
        made.append(Probe(f"{shape} by {gates}", inputs, rng.normal(size=shape) + 0.3, subject, tags=tags))
    return made


SUBJECT = Subject("mul", ("a", "b"), {"da": da, "db": db}, value, probes, MISTAKES,
                  lambda p: {"N": p["a"].shape[0]}, lines={"da": LINE, "db": LINE})  # fmt: skip
