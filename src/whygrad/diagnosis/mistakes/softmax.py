"""What people get wrong about softmax: p = exp(z)/Σ exp(z), so dz = p·(dy − Σ dy·p) along the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.composition import Term
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

LINE = "dx = p * (dy - (dy * p).sum(axis=1, keepdims=True))"


def axis_of(p: Probe) -> int:
    """Return the axis of the classes."""
    return int(p.options.get("axis", 1))


def normalised(x: Array, axis: int | None) -> Array:
    """Return the softmax along an axis, or of the whole array."""
    e = np.exp(x - x.max())
    return e / e.sum(axis, keepdims=True)


def value(p: Probe, joints: Joints) -> Array:
    """The probabilities."""
    return normalised(p["x"], axis_of(p))


def dx(p: Probe, joints: Joints) -> Array:
    """p·(dy − Σ dy·p), with a joint for the sum."""
    axis, probabilities = axis_of(p), value(p, {})
    how = joints.get("sum")
    if how == "other axis":
        total = (p.dy * probabilities).sum(0 if axis else 1, keepdims=True)
    elif how == "everything":
        total = (p.dy * probabilities).sum()
    elif how == "of dy":
        total = p.dy.sum(axis, keepdims=True)
    elif how == "mean":
        total = (p.dy * probabilities).mean(axis, keepdims=True)
    elif how == "of p":
        total = probabilities.sum(axis, keepdims=True)
    else:
        total = (p.dy * probabilities).sum(axis, keepdims=True)
    return probabilities * (p.dy + total if how == "added" else p.dy - total)


def _of(p: Probe, a: Array, axis: int | None) -> Array:
    """The softmax along another axis, differentiated rightly."""
    probabilities = normalised(p["x"], axis)
    return probabilities * (a - (a * probabilities).sum(axis, keepdims=True))


def _derivative_at_logits(p: Probe) -> Array:
    x = p["x"]
    return x * (p.dy - (p.dy * x).sum(axis_of(p), keepdims=True))


def _collapsed(p: Probe) -> Array:
    """The Jacobian's columns summed first, and then multiplied by dy: exactly 0."""
    return 0 * p.dy


def _first_sample(p: Probe) -> Array:
    fitting(p["x"].ndim == 2)
    probabilities = np.broadcast_to(value(p, {})[:1], p["x"].shape)
    return probabilities * (p.dy - (p.dy * probabilities).sum(1, keepdims=True))


def terms(p: Probe) -> list[Term]:
    """Return the two terms of dz."""
    probabilities, wrong = value(p, {}), "softmax_derivative_formula_wrong"
    total = (p.dy * probabilities).sum(axis_of(p), keepdims=True)
    return [
        Term("the term p·dy", probabilities * p.dy, wrong, wrong),
        Term("the term −p·Σ dy·p", -probabilities * total, wrong, wrong),
    ]


def _plus_beside(p: Probe) -> Array:
    """The Jacobian p_i(1 − p_i) on the diagonal and +p_i·p_j beside it."""
    q = value(p, {})
    return q * (p.dy * (1 - 2 * q) + (p.dy * q).sum(axis_of(p), keepdims=True))


MISTAKES = (
    mistake("softmax_jacobian_collapsed", "dx", "whole", _collapsed, "is 0 everywhere: the Jacobian's entries, "
            "which add up to 0, are summed before dy multiplies them", LINE,
            also="dx_not_propagated"),
    mistake("softmax_diagonal_only", "dx", "whole", lambda p: p.dy * value(p, {}) * (1 - value(p, {})),
            "has the Jacobian's diagonal p(1 − p) alone", LINE,
            also="softmax_derivative_formula_wrong"),
    mistake("softmax_diagonal_only", "dx", "whole", lambda p: value(p, {}) * (1 - value(p, {})),
            "is p(1 − p): the diagonal alone, without dy", LINE,
            also="upstream_gradient_not_multiplied softmax_derivative_formula_wrong"),
    mistake("softmax_backward_identity", "dx", "whole", lambda p: p.dy, "is dy as it came", LINE,
            also="missing_activation_derivative dx_not_propagated"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: p.dy * value(p, {}),
            "is dy·p: the sum over the other classes is missing", LINE,
            also="softmax_diagonal_only"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: p.dy * (1 - value(p, {})), "is dy·(1 − p)",
            LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: p.dy * np.exp(p["x"]),
            "is dy·exp(z): the derivative of exp alone", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: p.dy * np.exp(p["x"] - p["x"].max(axis_of(p), keepdims=True)),
            "is dy·exp(z − max): the derivative of exp alone", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: value(p, {}) - p.dy,
            "is p − dy, as if dy were the target of a cross-entropy", LINE,
            also="upstream_gradient_not_multiplied"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: p.dy - value(p, {}), "is dy − p", LINE,
            also="upstream_gradient_not_multiplied sign_error"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: p.dy - (p.dy * value(p, {})).sum(axis_of(p), keepdims=True), "lacks the factor p in front",
            LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "sum", "of dy", "subtracts Σ dy, not Σ dy·p", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "sum", "of p", "subtracts Σ p = 1, not Σ dy·p", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "sum", "mean", "subtracts the mean of dy·p, not its sum",
            LINE, also="batch_scale_wrong"),
    mistake("softmax_derivative_formula_wrong", "dx", "sum", "added", "adds Σ dy·p in place of subtracting it",
            LINE, also="sign_error"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: -value(p, {}) * (p.dy * value(p, {})).sum(axis_of(p), keepdims=True),
            "has the part −p_i·p_j alone, without the diagonal", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: -value(p, {}) * ((p.dy * value(p, {})).sum(axis_of(p), keepdims=True) - p.dy * value(p, {})),
            "has only what stands off the Jacobian's diagonal", LINE),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", _plus_beside,
            "has p_i·p_j with a plus off the diagonal", LINE, also="sign_error"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole", lambda p: p.dy * (1 - value(p, {}) ** 2),
            "is dy·(1 − p²), as for tanh", LINE),
    mistake("activation_derivative_of_wrong_tensor", "dx", "whole", _derivative_at_logits,
            "is computed from the scores z in place of the probabilities p", LINE),
    mistake("activation_derivative_of_wrong_tensor", "dx", "whole",
            lambda p: _of(p.changed(x=value(p, {})), p.dy, axis_of(p)),
            "applies softmax to the probabilities once more", LINE,
            also="extra_factor_in_delta"),
    mistake("softmax_derivative_formula_wrong", "dx", "whole",
            lambda p: p.dy * (value(p, {}) - (value(p, {}) ** 2).sum(axis_of(p), keepdims=True)),
            "is dy·(p − Σ p²)", LINE, also="softmax_diagonal_only"),
    mistake("softmax_wrong_axis", "dx", "sum", "other axis", "sums dy·p over the batch, not over the classes",
            LINE),
    mistake("softmax_wrong_axis", "dx", "sum", "everything",
            "sums dy·p over the whole array, not along the classes", LINE, also="softmax_derivative_formula_wrong"),
    mistake("softmax_wrong_axis", "dx", "whole", lambda p: _of(p, p.dy, 0), "is that of a softmax over the batch",
            LINE),
    mistake("softmax_wrong_axis", "dx", "whole", lambda p: _of(p, p.dy, None),
            "is that of a softmax over the whole array", LINE),
    mistake("softmax_wrong_axis", "dx", "whole",
            lambda p: normalised(p["x"],
                                 None) * (p.dy - (p.dy * normalised(p["x"], None)).sum(axis_of(p), keepdims=True)),
            "uses probabilities that were normalised over the whole array", LINE),
    mistake("softmax_wrong_axis", "dx", "whole",
            lambda p: p.dy * normalised(p["x"], None) * (1 - normalised(p["x"], None)),
            "is p(1 − p) of a softmax over the whole array", LINE, also="softmax_diagonal_only"),
    mistake("wrong_loop_variable_as_index", "dx", "whole", _first_sample,
            "uses the first sample's probabilities for every sample", LINE),
    mistake("upstream_gradient_not_multiplied", "dx", "whole", lambda p: value(p, {}), "is p itself", LINE,
            also="returns_wrong_variable"),
    mistake("extra_factor_in_delta", "dx", "out", lambda a, p: a * value(p, {}), "has the factor p twice", LINE,
            rank=1),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is the scores themselves", LINE),
    mistake("softmax_wrong_axis", "y", "whole", lambda p: normalised(p["x"], 0), "is normalised over the batch",
            "axis=1"),
    mistake("softmax_wrong_axis", "y", "whole", lambda p: normalised(p["x"], None),
            "is normalised over the whole array", "axis=1, keepdims=True"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: np.exp(p["x"]), "is not normalised",
            "e / e.sum(axis=1, keepdims=True)"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return rows of unlike lengths; the upstream gradient is not uniform, under which every gradient is 0."""
    made = []
    for shape in ((4, 5), (3, 2), (1, 6), (5, 3), (4, 4)):
        tags = frozenset({"more than one sample"} if shape[0] > 1 else ())
        made.append(Probe(f"{shape[0]} samples of {shape[1]} classes", {"x": 1.5 * rng.normal(size=shape)},
                          rng.normal(size=shape) + 0.4, subject,
                          {"axis": options.get("axis", 1)}, tags))  # fmt: skip
    return made


SUBJECT = Subject("softmax", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "classes": p["x"].shape[1]}, lines={"dx": LINE},
                  terms={"dx": terms})  # fmt: skip
