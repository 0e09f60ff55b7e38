"""What people get wrong about log-softmax: y = z − log Σ exp(z), so dz = dy − p·Σ dy."""

from __future__ import annotations

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.composition import Term
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.softmax import axis_of, normalised, probes
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

LINE = "dx = dy - p * dy.sum(axis=1, keepdims=True)"


def _p(p: Probe) -> Array:
    return normalised(p["x"], axis_of(p))


def value(p: Probe, joints: Joints) -> Array:
    """The logarithms of the probabilities."""
    return np.log(_p(p))


def dx(p: Probe, joints: Joints) -> Array:
    """The gradient dy − p·Σ dy."""
    total = p.dy.sum(axis_of(p), keepdims=True)
    how = joints.get("sum")
    if how == "left out":
        total = np.ones_like(total)
    elif how == "other axis":
        total = p.dy.sum(0, keepdims=True)
    elif how == "everything":
        total = np.full_like(total, p.dy.sum())
    elif how == "mean":
        total = p.dy.mean(axis_of(p), keepdims=True)
    return p.dy - _p(p) * total


def terms(p: Probe) -> list[Term]:
    """Return the two terms of dz."""
    wrong = "softmax_derivative_formula_wrong"
    return [
        Term("the term dy", p.dy, wrong, wrong),
        Term("the term −p·Σ dy", -_p(p) * p.dy.sum(axis_of(p), keepdims=True), wrong, wrong),
    ]


MISTAKES = (
    mistake("softmax_derivative_formula_wrong", "dx", "sum", "left out", "is dy − p: the factor Σ dy is left out",
            LINE, also="upstream_gradient_not_multiplied"),
    mistake("softmax_wrong_axis", "dx", "sum", "other axis", "sums dy over the batch, not over the classes", LINE),
    mistake("softmax_wrong_axis", "dx", "sum", "everything", "sums dy over the whole array", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "sum", "mean", "has the mean of dy where its sum is meant",
            LINE, also="batch_scale_wrong"),
    mistake("softmax_backward_identity", "dx", "whole", lambda p: p.dy, "is dy as it came", LINE,
            also="missing_activation_derivative"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: p.dy * (1 - _p(p)),
            "is dy·(1 − p): the diagonal alone", LINE, also="softmax_diagonal_only"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: p.dy / _p(p),
            "is dy/p: the derivative of log alone", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: _p(p) * (p.dy - (p.dy * _p(p)).sum(axis_of(p), keepdims=True)),
            "is softmax's gradient, not that of its logarithm", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: p.dy + _p(p) * p.dy.sum(axis_of(p), keepdims=True), "adds p·Σ dy", LINE, also="sign_error"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: p.dy - _p(p) * (p.dy * _p(p)).sum(axis_of(p), keepdims=True), "has Σ dy·p for Σ dy", LINE),
    mistake("activation_derivative_of_wrong_tensor", "dx", "whole",
            lambda p: p.dy - value(p, {}) * p.dy.sum(axis_of(p), keepdims=True),
            "has log p where p is meant", LINE, also="output_used_instead_of_input"),
    mistake("activation_derivative_of_wrong_tensor", "dx", "whole",
            lambda p: p.dy - np.exp(p["x"]) * p.dy.sum(axis_of(p), keepdims=True),
            "has exp(z) where p is meant: not normalised", LINE),
    mistake("returns_wrong_variable", "dx", "whole", _p, "is p itself", LINE),
    mistake("softmax_wrong_axis", "y", "whole", lambda p: np.log(normalised(p["x"], 0)),
            "is normalised over the batch", "axis=1"),
    *c.common("dx"),
)  # fmt: skip

SUBJECT = Subject("log_softmax", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "classes": p["x"].shape[1]}, lines={"dx": LINE},
                  terms={"dx": terms})  # fmt: skip
