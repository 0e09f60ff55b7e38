"""What people get wrong about layer normalisation: the statistics of each sample, and parameters for each feature.

dx = (g − mean(g) − x̂·mean(g·x̂))/σ with g = γ·dy,   dγ = Σ_n dy·x̂,   dβ = Σ_n dy
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.composition import Term
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

DX = "g = gamma * dy; dx = (g - g.mean(1, keepdims=True) - xhat * (g * xhat).mean(1, keepdims=True)) / std"
DG, DB = "dgamma = (dy * xhat).sum(axis=0)", "dbeta = dy.sum(axis=0)"


def _parts(p: Probe) -> tuple[Array, Array]:
    x = p["x"]
    spread = np.sqrt(x.var(1, keepdims=True) + p.options["eps"])
    return (x - x.mean(1, keepdims=True)) / spread, spread


def value(p: Probe, joints: Joints) -> Array:
    """γ·x̂ + β."""
    return p["gamma"] * _parts(p)[0] + p["beta"]


def dx(p: Probe, joints: Joints) -> Array:
    """The three terms, each a joint."""
    normal, spread = _parts(p)
    outside = joints.get("gamma factor") == "outside"
    g = p.dy if joints.get("gamma factor") in ("left out", "outside") else p["gamma"] * p.dy
    axis = 0 if joints.get("axis") == "batch" else 1
    first, second = g.mean(axis, keepdims=True), normal * (g * normal).mean(axis, keepdims=True)
    first = {"left out": 0 * first, "added": -first}.get(joints.get("mean term", ""), first)
    second = {"left out": 0 * second, "added": -second, "without x̂": second / normal}.get(
        joints.get("variance term", ""), second
    )
    whole = (g - first - second) / (
        spread**2 if joints.get("scale") == "variance" else 1 if joints.get("scale") == "left out" else spread
    )
    return whole * p["gamma"] if outside else whole


def terms(p: Probe) -> list[Term]:
    """Return the three terms of dx."""
    normal, spread = _parts(p)
    g = p["gamma"] * p.dy
    mean, along = g.mean(1, keepdims=True), (g * normal).mean(1, keepdims=True)
    return [
        Term("the term of dy itself", g / spread, "bn_scale_wrong", "bn_scale_wrong"),
        Term(
            "the term through the mean",
            np.broadcast_to(-mean / spread, g.shape),
            "bn_mean_term_missing",
            "bn_count_wrong",
        ),
        Term(
            "the term through the variance",
            -normal * along / spread,
            "bn_variance_term_missing",
            "bn_variance_term_wrong",
        ),
    ]


def dgamma(p: Probe, joints: Joints) -> Array:
    """Σ_n dy·x̂."""
    return (p.dy * _parts(p)[0]).sum(0)


def dbeta(p: Probe, joints: Joints) -> Array:
    """Σ_n dy."""
    return p.dy.sum(0)


MISTAKES = (
    mistake("bn_gamma_missing", "dx", "gamma factor", "left out", "lacks the factor γ", DX),
    mistake("bn_gamma_missing", "dx", "gamma factor", "outside",
            "multiplies by γ at the end: here it stands inside the means", DX),
    mistake("bn_mean_term_missing", "dx", "mean term", "left out", "lacks the term through the mean", DX,
            also="bn_statistics_constant"),
    mistake("bn_variance_term_missing", "dx", "variance term", "left out", "lacks the term through the variance",
            DX, also="bn_statistics_constant"),
    mistake("sign_error", "dx", "mean term", "added", "adds the term through the mean", DX),
    mistake("sign_error", "dx", "variance term", "added", "adds the term through the variance", DX),
    mistake("bn_variance_term_wrong", "dx", "variance term", "without x̂",
            "lacks x̂ in the term through the variance", DX),
    mistake("axis_wrong", "dx", "axis", "batch", "takes its means over the batch, as batch normalisation does", DX,
            also="bn_count_wrong"),
    mistake("bn_statistics_constant", "dx", "whole", lambda p: p.dy * p["gamma"] / _parts(p)[1],
            "treats mean and variance as constants", DX,
            also="bn_mean_term_missing bn_variance_term_missing"),
    mistake("bn_scale_wrong", "dx", "scale", "variance", "divides by the variance, not by its root", DX),
    mistake("bn_scale_wrong", "dx", "scale", "left out", "does not divide by the standard deviation", DX),
    mistake("bn_xhat_missing", "dgamma", "whole", lambda p: p.dy.sum(0), "is Σ dy: the factor x̂ is left out", DG,
            also="returns_wrong_variable"),
    mistake("bn_xhat_missing", "dgamma", "whole", lambda p: (p.dy * p["x"]).sum(0), "has x in place of x̂", DG),
    mistake("output_used_instead_of_input", "dgamma", "whole", lambda p: (p.dy * p.y).sum(0),
            "has y in place of x̂", DG, also="bn_xhat_missing"),
    mistake("bn_sum_axes_wrong", "dgamma", "whole", lambda p: (p.dy * _parts(p)[0]).sum(1),
            "is summed over the features", DG, also="axis_wrong"),
    mistake("bn_sum_axes_wrong", "dbeta", "whole", lambda p: p.dy.sum(1), "is summed over the features", DB,
            also="bias_gradient_wrong_axes axis_wrong"),
    mistake("batch_sum_missing", "dgamma", "whole", lambda p: p.dy * _parts(p)[0], "is not summed over the batch",
            DG),
    mistake("batch_sum_missing", "dbeta", "whole", lambda p: p.dy, "is not summed over the batch", DB),
    mistake("bias_gradient_wrong_tensor", "dbeta", "whole", lambda p: dgamma(p, {}), "is dγ", DB,
            also="returns_wrong_variable"),
    mistake("extra_factor_in_delta", "dgamma", "out", c.times("gamma"), "is multiplied by γ besides", DG),
    mistake("dx_not_propagated", "dx", "whole", lambda p: p.dy, "is dy as it came", DX,
            also="returns_wrong_variable"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: _parts(p)[0], "leaves γ and β out",
            "gamma * xhat + beta"),
    *c.common("dx dgamma dbeta", zero={"dbeta": "missing_bias_gradient"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return rows with γ ≠ 1."""
    made = []
    for shape in ((3, 6), (5, 4), (2, 7), (4, 4)):
        inputs = {
            "x": 2 * rng.normal(size=shape) + 1,
            "gamma": rng.uniform(0.5, 2, shape[1]),
            "beta": rng.normal(size=shape[1]),
        }
        made.append(
            Probe(f"{shape}", inputs, rng.normal(size=shape) + 0.4, subject, {"eps": options.get("eps", 1e-5)})
        )
    return made


SUBJECT = Subject("layer_norm", ("x", "gamma", "beta"), {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}, value, probes,
                  MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "features": p["x"].shape[1]}, {"eps": 1e-5},
                  lines={"dx": DX, "dgamma": DG, "dbeta": DB}, terms={"dx": terms})  # fmt: skip
