"""What people get wrong about scale and shift: dx = dy·w, and dw and db are sums over the samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, drawn, spaced
from whygrad.typing import Array

LINES = {"dx": "dx = dy * w", "dw": "dw = (dy * x).sum(axis=0)", "db": "db = dy.sum(axis=0)"}


def value(p: Probe, joints: Joints) -> Array:
    """Every entry times its weight, plus its bias."""
    return p["x"] * p["w"] + p["b"]


def dx(p: Probe, joints: Joints) -> Array:
    """The gradient dy times the weights."""
    return p.dy * p["w"]


def dw(p: Probe, joints: Joints) -> Array:
    """The sum of dy·x over the samples."""
    return (p.dy * p["x"]).sum(0)


def db(p: Probe, joints: Joints) -> Array:
    """The sum of dy over the samples."""
    return p.dy.sum(0)


MISTAKES = (
    mistake("missing_weight_factor", "dx", "whole", lambda p: p.dy, "is dy itself: the weight is left out",
            LINES["dx"], also="dx_not_propagated"),
    mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * p["w"] ** 2, "contains the weight twice",
            LINES["dx"]),
    mistake("extra_factor_in_delta", "dx", "out", c.times("x"), "is multiplied by x besides", LINES["dx"]),
    mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * p["w"] + p["b"], "contains the bias",
            LINES["dx"]),
    mistake("extra_factor_in_delta", "dx", "whole", lambda p: p.dy * p["x"], "is dy·x, as for the weight",
            LINES["dx"], also="returns_wrong_variable"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINES["dx"]),
    mistake("batch_sum_missing", "dw", "whole", lambda p: (p.dy * p["x"])[0], "is that of the first sample alone",
            LINES["dw"], also="early_return_in_loop"),
    mistake("weight_gradient_without_input", "dw", "whole", lambda p: p.dy.sum(0), "is Σ dy: x is left out",
            LINES["dw"], also="returns_wrong_variable"),
    mistake("output_used_instead_of_input", "dw", "whole", lambda p: (p.dy * p.y).sum(0),
            "takes the output y for the input x", LINES["dw"]),
    mistake("extra_factor_in_delta", "dw", "whole", lambda p: (p.dy * p["x"]).sum(0) * p["w"],
            "is multiplied by the weight besides", LINES["dw"]),
    mistake("upstream_gradient_not_multiplied", "dw", "whole", lambda p: p["x"].sum(0), "is Σ x, without dy",
            LINES["dw"]),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p["w"], "is w itself", LINES["dw"]),
    mistake("extra_factor_in_delta", "db", "whole", lambda p: (p.dy * p["w"]).sum(0), "is multiplied by the weight",
            LINES["db"], also="bias_gradient_wrong_tensor"),
    mistake("extra_factor_in_delta", "db", "whole", lambda p: (p.dy * p["x"]).sum(0), "is dy·x, as dw is",
            LINES["db"], also="bias_gradient_wrong_tensor returns_wrong_variable"),
    mistake("batch_sum_missing", "db", "whole", lambda p: p.dy[0], "is that of the first sample alone", LINES["db"],
            also="early_return_in_loop"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.y.sum(0), "is the sum of y, not of dy",
            LINES["db"], also="returns_wrong_variable"),
    mistake("returns_wrong_variable", "db", "whole", lambda p: p["b"], "is b itself", LINES["db"]),
    mistake("forward_formula_wrong", "y", "whole", lambda p: (p["x"] + p["b"]) * p["w"],
            "adds the bias before it multiplies", "x * w + b"),
    *c.common("dx dw db", zero={"db": "missing_bias_gradient"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return rows and images, with a weight for each entry of a sample."""
    made = []
    for shape in ((3, 5), (2, 3, 4, 5), (4, 2, 3)):
        inputs = {"x": spaced(rng, *shape), "w": drawn(rng, *shape[1:]), "b": drawn(rng, *shape[1:])}
        made.append(Probe(f"{shape}", inputs, rng.normal(size=shape) + 0.3, subject))
    return made


SUBJECT = Subject("scale", ("x", "w", "b"), {"dx": dx, "dw": dw, "db": db}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0]}, lines=LINES)  # fmt: skip
