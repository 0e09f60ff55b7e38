"""What people get wrong about the gradient of a loss, whichever it is: ∂E/∂z at the scores z they start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.activations import sigma
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

Piece: TypeAlias = Callable[[Probe], Array]
CROSS_ENTROPY, MEAN_SQUARE, BINARY = "dz = (p - t) / N", "dz = 2 * (z - t) / z.size", "dz = (sigmoid(z) - t) / N"


def target(p: Probe) -> Array:
    """Return the target in the shape of z: class numbers become rows of 0 and 1."""
    t, z = np.asarray(p.options["target"]), p["z"]
    if t.shape == z.shape:
        return t.astype(np.float64)
    if t.size == z.size:
        return t.reshape(z.shape).astype(np.float64)
    flat = t.reshape(-1).astype(np.intp) if t.size == z.shape[0] else None
    fitting(z.ndim == 2 and flat is not None and bool((flat >= 0).all() and (flat < z.shape[1]).all()))
    assert flat is not None
    return np.eye(z.shape[1])[flat]


def probabilities(p: Probe, axis: int | None = -1) -> Array:
    """The softmax of z."""
    e = np.exp(p["z"] - p["z"].max())
    return e / e.sum(axis, keepdims=True)


def right(p: Probe) -> Array:
    """The right gradient."""
    return p.right["dz"]


def _jacobian_again(p: Probe) -> Array:
    """The softmax's Jacobian times the gradient, which is at the scores already."""
    fitting(p["z"].ndim == 2)
    share, delta = probabilities(p), right(p)
    return share * (delta - (delta * share).sum(-1, keepdims=True))


def _wrong_entry(p: Probe) -> Array:
    """The probabilities less 1 in every class, not the target's alone."""
    return probabilities(p) - 1


def _broadcast(p: Probe) -> Array:
    """A column less a row."""
    z, t = p["z"], np.asarray(p.options["target"])
    fitting(z.ndim == 2 and z.shape[1] == 1 and t.ndim == 1 and len(z) > 1)
    return z - t


def _margins(p: Probe) -> tuple[Array, Array]:
    t = target(p)
    fitting(bool(((t == 0) | (t == 1)).all()) and p["z"].ndim == 2 and bool((t.sum(1) == 1).all()))
    own = (p["z"] * t).sum(1, keepdims=True)
    return (p["z"] - own + 1 > 0) * (1 - t), t


def _hinge(p: Probe, own: str) -> Array:
    violated, t = _margins(p)
    count = violated.sum(1, keepdims=True)
    at = {"left out": 0 * count, "one": -(count > 0) * 1.0, "plus": count, "itself": 1 - count}[own]
    return violated + t * at


def loss_mistakes() -> tuple[Mistake, ...]:
    """Return what can go wrong with dz."""
    return (*_factors_too_many(), *_factors_too_few(), *_other_formulas(), *_hinge_mistakes(), *_batch_mistakes())


def _z(p: Probe) -> Array:
    return p["z"]


def _s(p: Probe) -> Array:
    return sigma(p["z"])


def _th(p: Probe) -> Array:
    return np.tanh(p["z"])


def whole(label: str, g: Piece, does: str, fix: str = "", also: str = "", rank: int = 1) -> Mistake:
    """Return the mistake of another formula for dz."""
    return mistake(label, "dz", "whole", g, does, fix, also=also, rank=rank)


def factor(label: str, g: Piece, does: str, also: str = "") -> Mistake:
    """Return the mistake of a factor too many."""
    return mistake(label, "dz", "whole", lambda p: right(p) * g(p), does, "leave that factor out", also=also)


def without(g: Piece, does: str) -> Mistake:
    """Return the mistake of a derivative that is left out."""
    return mistake("missing_activation_derivative", "dz", "whole", lambda p: right(p) / g(p), does,
                   "multiply by f′(z)",
                   also="loss_derivative_wrong")  # fmt: skip


def _factors_too_many() -> tuple[Mistake, ...]:
    """Return what has a factor that does not belong there."""
    return (
        factor("extra_factor_in_delta", target, "is multiplied by the target: classes that are not the target's "
               "get nothing"),
        factor("loss_derivative_wrong", lambda p: 1 - target(p), "gives the target's class nothing",
               also="extra_factor_in_delta"),
        factor("extra_factor_in_delta", lambda p: probabilities(p) * (1 - probabilities(p)),
               "contains p(1 − p) of the softmax besides", "softmax_diagonal_only"),
        mistake("extra_factor_in_delta", "dz", "whole", _jacobian_again,
                "contains the softmax's Jacobian once too often: p − t has it already", CROSS_ENTROPY),
        factor("extra_factor_in_delta", lambda p: _s(p) * (1 - _s(p)),
               "contains the sigmoid's derivative once too often"),
        factor("extra_factor_in_delta", lambda p: 1 - _th(p) ** 2, "contains tanh's derivative once too often"),
        factor("extra_factor_in_delta", lambda p: _z(p) * (1 - _z(p)), "contains z(1 − z) besides",
               "activation_derivative_of_wrong_tensor"),
        factor("extra_factor_in_delta", lambda p: 1 - _z(p) ** 2, "contains 1 − z² besides"),
        factor("extra_factor_in_delta", lambda p: (_z(p) > 0) * 1.0, "contains [z > 0] besides",
               "relu_mask_wrong_tensor"),
        factor("extra_factor_in_delta", _z, "is multiplied by z besides"),
        factor("extra_factor_in_delta", probabilities, "is multiplied by p besides"),
        factor("extra_factor_in_delta", _s, "is multiplied by σ(z) besides"),
        factor("extra_factor_in_delta", lambda p: np.asarray(p.subject.value(p, {})),
               "is multiplied by the loss itself"),
    )  # fmt: skip


def _factors_too_few() -> tuple[Mistake, ...]:
    """Return what lacks a derivative."""
    return (
        without(lambda p: _s(p) * (1 - _s(p)), "lacks the sigmoid's derivative"),
        without(lambda p: 1 - _th(p) ** 2, "lacks tanh's derivative"),
        without(lambda p: _z(p) * (1 - _z(p)), "lacks the factor z(1 − z)"),
        without(lambda p: np.maximum(_z(p), 0) / _z(p), "lacks relu's derivative"),
        mistake("missing_activation_derivative", "dz", "whole", lambda p: -target(p) / probabilities(p),
                "is −t/p, the gradient for the probabilities: the softmax's derivative is left out",
                CROSS_ENTROPY, also="softmax_backward_identity loss_derivative_wrong"),
        mistake("softmax_diagonal_only", "dz", "whole", lambda p: -target(p) * (1 - probabilities(p)),
                "is −t(1 − p): other classes get nothing", CROSS_ENTROPY,
                also="extra_factor_in_delta loss_derivative_wrong"),
        mistake("missing_activation_derivative", "dz", "whole",
                lambda p: -target(p) / _s(p) + (1 - target(p)) / (1 - _s(p)),
                "is the gradient for the probabilities: the sigmoid's derivative is left out", BINARY),
    )  # fmt: skip


def _other_formulas() -> tuple[Mistake, ...]:
    """Return what belongs to another loss, or to none."""
    return (
        whole("loss_derivative_wrong", lambda p: probabilities(p) - target(p),
              "is p − t, which belongs to a cross-entropy with softmax", CROSS_ENTROPY, "extra_factor_in_delta"),
        whole("loss_derivative_wrong", probabilities, "is p: the target is not subtracted", CROSS_ENTROPY),
        whole("loss_derivative_wrong", lambda p: _s(p) - target(p),
              "is σ(z) − t, which belongs to a binary cross-entropy", BINARY, "missing_activation_derivative"),
        whole("loss_derivative_wrong", lambda p: _z(p) - target(p),
              "is z − t, which belongs to a mean square of z itself", MEAN_SQUARE, "missing_activation_derivative"),
        whole("loss_derivative_wrong", lambda p: (_z(p) - target(p)) ** 2,
              "is the square itself, not its derivative", MEAN_SQUARE, "returns_wrong_variable"),
        whole("loss_derivative_wrong", lambda p: np.abs(_z(p) - target(p)), "is |z − t|: the sign is lost",
              MEAN_SQUARE, "sign_error"),
        whole("loss_derivative_wrong", lambda p: np.sign(_z(p) - target(p)),
              "is sign(z − t), which belongs to absolute differences", MEAN_SQUARE),
        whole("loss_derivative_wrong", lambda p: _z(p) + target(p), "is z + t", MEAN_SQUARE, "sign_error"),
        whole("loss_derivative_wrong", lambda p: -target(p) / _z(p), "is −t/z: the half for 1 − t is left out",
              "dz = (z - t) / (z * (1 - z))"),
        whole("loss_derivative_wrong", lambda p: -target(p) / _z(p) - (1 - target(p)) / (1 - _z(p)),
              "has the wrong sign in the half for 1 − t", "dz = (z - t) / (z * (1 - z))", "sign_error"),
        whole("loss_derivative_wrong", lambda p: (1 - target(p)) / (1 - _z(p)), "is the half for 1 − t alone",
              "dz = (z - t) / (z * (1 - z))"),
        whole("loss_derivative_wrong", lambda p: (_z(p) - target(p)) / (_z(p) * (1 - _z(p))),
              "is a binary cross-entropy's", BINARY),
        whole("returns_wrong_variable", lambda p: np.log(_z(p)) * -target(p),
              "is the loss's terms themselves, not their derivatives", CROSS_ENTROPY, "loss_derivative_wrong"),
        whole("loss_derivative_wrong", _wrong_entry, "subtracts 1 from every class, not from the target's alone",
              CROSS_ENTROPY, "wrong_loop_variable_as_index"),
        whole("wrong_loop_variable_as_index", lambda p: probabilities(p) - (target(p).max(0) > 0),
              "subtracts 1 in whole columns: p[:, y] takes every sample's class in every sample",
              "p[np.arange(N), y] -= 1", "loss_derivative_wrong"),
        whole("axis_wrong", _broadcast, "is (N, N): a column z less a row t is every z less every t",
              "t = t.reshape(z.shape)", "loss_derivative_wrong"),
        whole("loss_derivative_wrong", lambda p: probabilities(p) * (1 - target(p)), "is 0 at the target",
              CROSS_ENTROPY),
        whole("loss_derivative_wrong",
              lambda p: target(p) * (probabilities(p) - 1) + (1 - target(p)) * probabilities(p) * 0,
              "is p − 1 at the target and 0 elsewhere", CROSS_ENTROPY,
              "extra_factor_in_delta softmax_diagonal_only"),
        whole("softmax_derivative_formula_wrong", lambda p: probabilities(p) * (1 - probabilities(p)),
              "is p(1 − p), whatever the target", CROSS_ENTROPY,
              "softmax_diagonal_only upstream_gradient_not_multiplied"),
        whole("softmax_derivative_formula_wrong", lambda p: np.exp(_z(p)) - target(p),
              "has exp(z) where p is meant: not normalised", CROSS_ENTROPY),
        whole("softmax_wrong_axis", lambda p: probabilities(p, 0) - target(p),
              "uses probabilities normalised over the batch", CROSS_ENTROPY),
        whole("softmax_wrong_axis", lambda p: probabilities(p, None) - target(p),
              "uses probabilities normalised over the whole array", CROSS_ENTROPY),
        whole("activation_derivative_of_wrong_tensor", lambda p: _softmax(probabilities(p)) - target(p),
              "applies the softmax twice", CROSS_ENTROPY, "extra_factor_in_delta"),
        whole("returns_wrong_variable", target, "is the target itself"),
        whole("returns_wrong_variable", _z, "is z itself"),
        whole("returns_wrong_variable", lambda p: np.asarray(p.subject.value(p, {})), "is the loss itself"),
    )  # fmt: skip


def _hinge_mistakes() -> tuple[Mistake, ...]:
    """Return what goes wrong with the target's class where margins are violated."""
    return (
        whole("loss_derivative_wrong", lambda p: _hinge(p, "left out"),
              "gives the target's class nothing: it gets minus the number of violated margins",
              "dz[n, t] = -violated.sum()"),
        whole("loss_derivative_wrong", lambda p: _hinge(p, "one"),
            "gives the target's class −1, not minus the number of violated margins", "dz[n, t] = -violated.sum()"),
        whole("loss_derivative_wrong", lambda p: _hinge(p, "plus"),
              "adds the number of violated margins where it has to be subtracted", "dz[n, t] = -violated.sum()",
              "sign_error"),
        whole("loss_derivative_wrong", lambda p: _hinge(p, "itself"),
              "counts the target's own class among the violated margins", "dz[n, t] = -violated.sum()"),
    )  # fmt: skip


def _batch_mistakes() -> tuple[Mistake, ...]:
    """Return what goes wrong with the samples of a batch, or with dz as a whole."""
    return (
        mistake("overwritten_in_batch_loop", "dz", "out", c.only(0, -1), "comes from the last sample alone",
                "write to dz[n]", rank=1),
        mistake("early_return_in_loop", "dz", "out", c.only(0, 0), "comes from the first sample alone",
                "return after the loop", rank=1),
        mistake("wrong_loop_variable_as_index", "dz", "out", c.repeated(0),
                "has the first sample's numbers for every sample", "dz[n]", rank=1),
        mistake("wrong_loop_variable_as_index", "dz", "out", c.repeated(0, -1),
                "has the last sample's numbers for every sample", "dz[n]", rank=1),
        mistake("stale_cache", "dz", "out", c.rolled(0), "belongs to another sample", "dz[n]", rank=1),
        mistake("axis_wrong", "dz", "out", lambda a, _: a.sum(0),
                "is summed over the batch: z has one row for each sample", "leave the sum out",
                also="batch_sum_missing", rank=1),
        mistake("axis_wrong", "dz", "out", lambda a, _: a.mean(0),
                "is a mean over the batch: z has one row for each sample", "divide by N, and sum nothing",
                also="batch_scale_wrong", rank=1),
        mistake("weight_gradient_zero", "dz", "out", c.zeros, "is 0 everywhere: it was never computed",
                "compute it and return it",
                also="dx_not_propagated softmax_jacobian_collapsed dx_all_zero_write_to_copy integer_truncation"),
        mistake("sign_error", "dz", "out", c.absolute, "has lost its signs", "leave out np.abs", rank=3),
        mistake("integer_truncation", "dz", "out", c.truncated, "is cut off to whole numbers",
                "np.zeros(z.shape)", rank=1),
        mistake("clipping_in_gradient", "dz", "out", c.clipped, "is clipped to −1 ... 1",
                "leave clipping to the update", rank=3),
    )  # fmt: skip


def _softmax(a: Array) -> Array:
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
