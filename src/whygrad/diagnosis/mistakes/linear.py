"""What people get wrong about a dense layer.

From y = x·wᵀ + b, with w as (out, in), follow dx = dy·w, dw = dyᵀ·x and db = Σ_n dy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.activations import sigma
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

DX, DW, DB = "dx = dy @ w.T", "dw = x.T @ dy", "db = dy.sum(axis=0)"


def value(p: Probe, joints: Joints) -> Array:
    """The value x·wᵀ + b."""
    return p["x"] @ p["w"].T + p["b"]


def dx(p: Probe, joints: Joints) -> Array:
    """dy·w."""
    return p.dy @ p["w"]


def dw(p: Probe, joints: Joints) -> Array:
    """dyᵀ·x."""
    return p.dy.T @ p["x"]


def db(p: Probe, joints: Joints) -> Array:
    """Σ dy over the samples."""
    return p.dy.sum(0)


def _square(w: Array, _: Probe) -> Array:
    fitting(w.shape[0] == w.shape[1])
    return w.T


def _elementwise_dw(p: Probe) -> Array:
    fitting(p["x"].shape == p.dy.shape == p["w"].shape)
    return p["x"] * p.dy


def _elementwise_dx(p: Probe) -> Array:
    return np.asarray(p.dy * (p["w"] if p.dy.shape == p["w"].shape else p["w"].T))


MISTAKES = (
    mistake("weights_not_transposed", "dx", "w", _square, "multiplies by w where wᵀ belongs", DX,
            also="weight_gradient_transposed"),
    mistake("weights_not_transposed", "dx", "w", lambda w, _: w.T.reshape(w.shape),
            "multiplies by w reshaped, not transposed", DX, also="reshape_axes_wrong"),
    mistake("weight_gradient_transposed", "dw", "out", c.transposed(0, 1), "comes out transposed", DW),
    mistake("axis_wrong", "dx", "out", c.transposed(0, 1), "comes out transposed: (inputs, samples)", DX,
            also="weights_not_transposed weight_gradient_transposed"),
    mistake("weight_gradient_transposed", "dw", "out", lambda a, _: a.T.reshape(a.shape),
            "is reshaped where it has to be transposed", DW, also="reshape_axes_wrong"),
    mistake("elementwise_in_place_of_matrix_product", "dw", "whole", _elementwise_dw, "is x·dy, entry by entry",
            DW),
    mistake("elementwise_in_place_of_matrix_product", "dw", "whole", lambda p: _elementwise_dw(p).T,
            "is x·dy, entry by entry", DW),
    mistake("elementwise_in_place_of_matrix_product", "dx", "whole", _elementwise_dx, "is dy·w, entry by entry",
            DX),
    mistake("elementwise_in_place_of_matrix_product", "dx", "whole", lambda p: p.dy * p["w"].sum(1),
            "is dy times the sums of w", DX),
    mistake("elementwise_in_place_of_matrix_product", "dw", "whole", lambda p: np.outer(p.dy.sum(0), p["x"].sum(0)),
            "is the product of two sums over the batch: the sum of products is meant", DW,
            also="batch_sum_missing"),
    mistake("elementwise_in_place_of_matrix_product", "dw", "whole",
            lambda p: np.outer(p.dy.mean(0), p["x"].sum(0)) / 1.0,
            "is the mean of dy times the sum of x", DW, also="batch_scale_wrong batch_sum_missing", rank=2),
    mistake("output_used_instead_of_input", "dw", "x", c.instead("y"),
            "is made from the layer's own output in place of its input", DW),
    mistake("output_used_instead_of_input", "dw", "whole", lambda p: p.dy.T @ p.y,
            "is made from the layer's own output in place of its input", DW),
    mistake("activation_derivative_of_wrong_tensor", "dw", "x", lambda x, _: sigma(x),
            "is made from σ(x), where the layer saw x", DW, rank=2),
    mistake("activation_derivative_of_wrong_tensor", "dw", "x", lambda x, _: x * (1 - x), "contains x(1 − x)", DW,
            also="extra_factor_in_delta", rank=2),
    mistake("extra_factor_in_delta", "dx dw db", "dy", lambda a, p: a * p.y,
            "contains the layer's output y besides", "use dy as it comes", rank=1),
    mistake("extra_factor_in_delta", "dx dw db", "dy", lambda a, p: a * p.y * (1 - p.y),
            "contains y(1 − y): an activation's derivative that is not here",
            "use dy as it comes", also="activation_derivative_of_wrong_tensor", rank=1),
    mistake("extra_factor_in_delta", "dx dw db", "dy", lambda a, p: a * (p.y > 0),
            "contains [y > 0]: a relu's derivative that is not here",
            "use dy as it comes", also="relu_mask_wrong_tensor", rank=1),
    mistake("extra_factor_in_delta", "dx", "out", c.times("x"), "is multiplied by x besides", DX, rank=1),
    mistake("extra_factor_in_delta", "dw", "out", c.times("w"), "is multiplied by w besides", DW, rank=1),
    mistake("extra_factor_in_delta", "db", "whole", lambda p: p.dy.sum(0) * p["b"], "is multiplied by b besides",
            DB, also="bias_gradient_wrong_tensor"),
    mistake("overwritten_in_batch_loop", "dw", "x", c.repeated(0, -1), "reads the last sample's x for every sample",
            DW, also="wrong_loop_variable_as_index stale_cache"),
    mistake("wrong_loop_variable_as_index", "dw", "x", c.repeated(0), "reads the first sample's x for every sample",
            DW, also="stale_cache"),
    mistake("stale_cache", "dw", "x", c.rolled(0, 1), "reads the x of another sample", DW,
            also="wrong_loop_variable_as_index"),
    mistake("channels_mixed_in_weight_gradient", "dw", "x", c.summed(1),
            "takes the sum of a sample's inputs for each of them", DW,
            also="elementwise_in_place_of_matrix_product dot_in_place_of_outer"),
    mistake("output_used_instead_of_input", "dw", "whole", lambda p: np.full_like(p["w"], (p.dy * p.y).sum()),
            "is Σ dy·y, of the layer's own output: one number in all entries", DW,
            also="dot_in_place_of_outer elementwise_in_place_of_matrix_product"),
    mistake("dot_in_place_of_outer", "dw", "whole", lambda p: np.full_like(p["w"], p.dy.sum() * p["x"].sum()),
            "is Σ dy · Σ x: one number in all entries", DW,
            also="elementwise_in_place_of_matrix_product"),
    mistake("batch_sum_missing", "dw", "whole", lambda p: np.einsum("no,ni->noi", p.dy, p["x"]),
            "has one gradient for each sample", DW),
    mistake("batch_sum_missing", "dw", "whole", lambda p: np.einsum("no,ni->nio", p.dy, p["x"]),
            "has one gradient for each sample", DW),
    mistake("batch_sum_missing", "db", "whole", lambda p: p.dy, "is dy, not summed over the batch", DB,
            also="bias_gradient_wrong_axes"),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: p.dy.sum(1),
            "is summed over the outputs, not over the batch", DB),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: np.asarray(p.dy.sum()),
            "is the sum of all of dy, one number", DB),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: np.full_like(p["b"], p.dy.sum()),
            "is the sum of all of dy, in every entry", DB),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: np.full_like(p["b"], p.dy.mean()),
            "is the mean of all of dy, in every entry", DB),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: p.dy.sum(1, keepdims=True),
            "is summed over the outputs, not over the batch", DB),
    mistake("bias_gradient_wrong_axes", "db", "whole", lambda p: p.dy.mean(1),
            "is a mean over the outputs, not a sum over the batch", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.right["dw"].sum(1), "is the sum of dw", DB),
    mistake("bias_gradient_wrong_tensor", "db", "dy", lambda a, p: p.y, "is the sum of y", DB),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p["b"], "is b itself", DB,
            also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_tensor", "db", "whole", lambda p: p.right["dx"].sum(0), "is the sum of dx", DB),
    mistake("returns_wrong_variable", "dw", "whole", lambda p: p["w"], "is w itself", DW),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", DX),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.dy, "is dy itself", DX, also="dx_not_propagated"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: p["x"] @ p["w"].T, "leaves the bias out",
            "y = x @ w + b"),
    mistake("bias_added_per_element", "y", "whole", lambda p: p["x"] @ p["w"].T + p["x"].shape[1] * p["b"],
            "adds the bias once for each input", "y = x @ w + b"),
    mistake("forward_formula_wrong", "y", "whole",
            lambda p: (p["x"] + p["b"]) @ p["w"].T if p["x"].shape[1] == p["b"].size else p["x"],
            "adds the bias to the input", "y = x @ w + b"),
    *c.common("dx dw db", zero={"db": "missing_bias_gradient"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return rows of unlike lengths, and square ones beside them."""
    made = []
    for name, (n, inputs, outputs) in (
        ("5 samples, 4 → 3", (5, 4, 3)),
        ("3 samples, 2 → 6", (3, 2, 6)),
        ("square", (5, 4, 4)),
        ("as many samples as inputs and outputs", (4, 4, 4)),
        ("one sample", (1, 3, 2)),
        ("square, 3", (2, 3, 3)),
    ):
        arrays = {
            "x": spaced(rng, n, inputs),
            "w": rng.normal(size=(outputs, inputs)),
            "b": rng.normal(size=outputs) + 0.5,
        }
        facts = {"more than one sample": n > 1, "layers that are not square": inputs != outputs}
        tags = frozenset(name for name, holds in facts.items() if holds)
        made.append(Probe(name, arrays, rng.normal(size=(n, outputs)) + 0.2, subject, {}, tags))
    return made


SUBJECT = Subject(
    "linear", ("x", "w", "b"), {"dx": dx, "dw": dw, "db": db}, value, probes, MISTAKES,
    lambda p: {"N": p["x"].shape[0], "in": p["x"].shape[1], "out": p["w"].shape[0]},
    lines={"dx": DX, "dw": DW, "db": DB, "y": "y = x @ w + b"},
)  # fmt: skip
