"""What people get wrong about batch normalisation, of images (N, C, H, W) and of rows (N, C).

With x̂ = (x − μ)/σ over M numbers a channel:  dx = γ/σ · (dy − mean(dy) − x̂·mean(dy·x̂)),  dγ = Σ dy·x̂,  dβ = Σ dy.
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

DX = "dx = gamma / std * (dy - dy.mean(axes) - xhat * (dy * xhat).mean(axes))"
DG, DB = "dgamma = (dy * xhat).sum(axes)", "dbeta = dy.sum(axes)"


def axes_of(x: Array) -> tuple[int, ...]:
    """Return the axes that statistics run over: all but the channels'."""
    return (0, *range(2, x.ndim))


def per_channel(a: Array, x: Array) -> Array:
    """Return numbers of the channels so that they broadcast."""
    return a.reshape(1, -1, *[1] * (x.ndim - 2))


def parts(p: Probe, joints: Joints) -> tuple[Array, Array, int]:
    """Return x̂, σ and the number of entries of a channel."""
    x, axes = p["x"], axes_of(p["x"])
    eps = p.options["eps"]
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    how = joints.get("sigma")
    count = x.size // x.shape[1]
    if how == "no eps":
        eps = 0.0
    elif how == "sample variance" and count > 1:
        variance = variance * count / (count - 1)
    spread = np.sqrt(variance + eps)
    if how == "eps outside":
        spread = np.sqrt(variance) + eps
    return (x - mean) / spread, spread, count


def value(p: Probe, joints: Joints) -> Array:
    """γ·x̂ + β."""
    normal, _, _ = parts(p, joints)
    return per_channel(p["gamma"], p["x"]) * normal + per_channel(p["beta"], p["x"])


def dx(p: Probe, joints: Joints) -> Array:
    """The three terms, each a joint."""
    x, axes = p["x"], axes_of(p["x"])
    normal, spread, count = parts(p, joints)
    gamma = 1.0 if joints.get("gamma factor") == "left out" else per_channel(p["gamma"], x)
    dy, scale = p.dy, gamma / spread
    divide = {"N": x.shape[0], None: count}.get(joints.get("count"), count)
    first = dy.sum(axes, keepdims=True) / divide
    second = normal * (dy * normal).sum(axes, keepdims=True) / divide
    mean_term, variance_term = joints.get("mean term"), joints.get("variance term")
    own = per_channel(p["gamma"], x)
    first = {"left out": 0 * first, "added": -first, "twice": 2 * first, "sum": first * divide,
             "by N": first * count / len(x), "without γ": first / own, "without σ": first * spread,
             "variance": first / spread}.get(str(mean_term), first)  # fmt: skip
    second = {"left out": 0 * second, "added": -second, "twice": 2 * second, "half": second / 2,
              "minus twice": -2 * second, "without x̂": second / normal, "x": second / normal * x,
              "sum": second * divide, "by N": second * count / len(x), "without γ": second / own,
              "σ⁻¹": second * spread**2, "σ⁻²": second * spread,
              "σ⁻⁴": second / spread}.get(str(variance_term), second)  # fmt: skip
    scale = {"variance": gamma / spread**2, "left out": gamma + 0 * spread, "multiplied": gamma * spread}.get(
        str(joints.get("scale")), scale
    )
    return scale * (dy - first - second)


def terms(p: Probe) -> list[Term]:
    """Return the three terms of dx."""
    normal, spread, _ = parts(p, {})
    axes, scale = axes_of(p["x"]), per_channel(p["gamma"], p["x"]) / spread
    mean, along = p.dy.mean(axes, keepdims=True), (p.dy * normal).mean(axes, keepdims=True)
    return [
        Term("the term of dy itself", scale * p.dy, "bn_scale_wrong", "bn_scale_wrong"),
        Term("the term through the mean", -scale * mean, "bn_mean_term_missing", "bn_count_wrong"),
        Term(
            "the term through the variance",
            -scale * normal * along,
            "bn_variance_term_missing",
            "bn_variance_term_wrong",
        ),
    ]


def dgamma(p: Probe, joints: Joints) -> Array:
    """Σ dy·x̂."""
    return (p.dy * parts(p, joints)[0]).sum(axes_of(p["x"]))


def dbeta(p: Probe, joints: Joints) -> Array:
    """Σ dy."""
    return p.dy.sum(axes_of(p["x"]))


def _sum_axes(p: Probe, what: Array, axes: tuple[int, ...]) -> Array:
    return what.sum(tuple(a for a in axes if a < what.ndim))


def _wrong_axes(name: str) -> tuple[Any, ...]:
    def what(p: Probe) -> Array:
        return p.dy * parts(p, {})[0] if name == "dgamma" else p.dy

    return tuple(
        mistake("bn_sum_axes_wrong", name, "whole", lambda p, axes=axes: _sum_axes(p, what(p), axes),
                f"is summed over axes {axes}",
                DG if name == "dgamma" else DB, also="bias_gradient_wrong_axes axis_wrong")
        for axes in ((0,), (1,), (2, 3), (1, 2, 3), (0, 1, 2, 3))
    )  # fmt: skip


def _axis_one(p: Probe) -> Array:
    """Statistics over the channels of a sample, as layer normalisation has them."""
    x = p["x"]
    axes = tuple(range(1, x.ndim))
    spread = np.sqrt(x.var(axes, keepdims=True) + p.options["eps"])
    normal = (x - x.mean(axes, keepdims=True)) / spread
    d = p.dy * per_channel(p["gamma"], x)
    return (d - d.mean(axes, keepdims=True) - normal * (d * normal).mean(axes, keepdims=True)) / spread


def _own_position(p: Probe) -> tuple[Array, Array]:
    """x̂ and σ over the batch alone, for each position of its own."""
    x = p["x"]
    spread = np.sqrt(x.var(0, keepdims=True) + p.options["eps"])
    return (x - x.mean(0, keepdims=True)) / spread, spread


def _product_with_gamma(p: Probe) -> Array:
    """np.dot(dy, γ) in place of dy·γ, broadcast over the channels."""
    mixed = (p.dy * per_channel(p["gamma"], p["x"])).sum(1, keepdims=True)
    return dx(p.changed(np.broadcast_to(mixed, p.dy.shape)), {"gamma factor": "left out"})


def _dx_own_position(p: Probe) -> Array:
    normal, spread = _own_position(p)
    d = p.dy * per_channel(p["gamma"], p["x"])
    return (d - d.mean(0, keepdims=True) - normal * (d * normal).mean(0, keepdims=True)) / spread


def _per_position(p: Probe) -> Array:
    """Means over the batch alone, position by position, with σ of the channel."""
    normal, spread, _ = parts(p, {})
    d = p.dy * per_channel(p["gamma"], p["x"])
    return (d - d.mean(0, keepdims=True) - normal * (d * normal).mean(0, keepdims=True)) / spread


MISTAKES = (
    mistake("bn_gamma_missing", "dx", "gamma factor", "left out", "lacks the factor γ", DX),
    mistake("bn_count_wrong", "dx", "count", "N", "divides its means by N in place of N·H·W", DX,
            also="batch_scale_wrong"),
    mistake("bn_mean_term_missing", "dx", "mean term", "left out", "lacks the term through the mean", DX,
            also="bn_statistics_constant"),
    mistake("bn_variance_term_missing", "dx", "variance term", "left out", "lacks the term through the variance",
            DX, also="bn_statistics_constant"),
    mistake("bn_statistics_constant", "dx", "whole",
            lambda p: p.dy * per_channel(p["gamma"], p["x"]) / parts(p, {})[1],
            "treats mean and variance as constants", DX, also="bn_mean_term_missing bn_variance_term_missing"),
    mistake("bn_statistics_constant", "dx", "whole", lambda p: p.dy * per_channel(p["gamma"], p["x"]),
            "is γ·dy: the normalisation is left out", DX,
            also="missing_activation_derivative"),
    mistake("sign_error", "dx", "mean term", "added", "adds the term through the mean", DX),
    mistake("sign_error", "dx", "variance term", "added", "adds the term through the variance", DX),
    mistake("gradient_counted_twice", "dx", "mean term", "twice", "has the term through the mean twice", DX),
    mistake("gradient_counted_twice", "dx", "variance term", "twice", "has the term through the variance twice", DX,
            also="batch_scale_wrong"),
    mistake("bn_variance_term_wrong", "dx", "variance term", "half",
            "has half the term through the variance: d(x²) = 2x dx", DX, also="batch_scale_wrong"),
    mistake("bn_variance_term_wrong", "dx", "variance term", "without x̂",
            "lacks the factor x̂ in the term through the variance", DX),
    mistake("bn_variance_term_wrong", "dx", "variance term", "x", "has x for x̂ in the term through the variance",
            DX, also="activation_derivative_of_wrong_tensor"),
    mistake("bn_variance_term_wrong", "dx", "variance term", "minus twice",
            "has −2 times the term through the variance: d(σ²)^(−½) = −½·(σ²)^(−3/2)", DX, also="sign_error"),
    *(mistake("bn_variance_term_wrong", "dx", "variance term", power,
              f"has {power} in place of σ⁻³ in the gradient of the variance: d(σ²)^(−½) = −½·(σ²)^(−3/2)", DX,
              also="bn_scale_wrong")
      for power in ("σ⁻¹", "σ⁻²", "σ⁻⁴")),
    mistake("bn_scale_wrong", "dx", "mean term", "without σ", "lacks 1/σ in the term through the mean", DX),
    mistake("bn_scale_wrong", "dx", "mean term", "variance", "has 1/σ² for 1/σ in the term through the mean", DX),
    mistake("bn_gamma_missing", "dx", "mean term", "without γ", "lacks γ in the term through the mean", DX),
    mistake("bn_gamma_missing", "dx", "variance term", "without γ", "lacks γ in the term through the variance", DX),
    mistake("bn_count_wrong", "dx", "mean term", "by N",
            "divides by N in place of N·H·W in the term through the mean", DX, also="batch_scale_wrong"),
    mistake("bn_count_wrong", "dx", "variance term", "by N",
            "divides by N in place of N·H·W in the term through the variance", DX, also="batch_scale_wrong"),
    mistake("bn_count_wrong", "dx", "mean term", "sum", "takes the sum of dy where its mean is meant", DX,
            also="batch_scale_wrong"),
    mistake("bn_count_wrong", "dx", "variance term", "sum", "takes the sum of dy·x̂ where its mean is meant", DX,
            also="batch_scale_wrong"),
    mistake("bn_scale_wrong", "dx", "scale", "variance", "divides by the variance, not by its root", DX),
    mistake("bn_scale_wrong", "dx", "scale", "left out", "does not divide by the standard deviation", DX),
    mistake("bn_scale_wrong", "dx", "scale", "multiplied", "multiplies by the standard deviation", DX),
    mistake("bn_scale_wrong", "dx dgamma y", "sigma", "eps outside", "adds ε outside the root",
            "np.sqrt(var + eps)", rank=1),
    mistake("bn_scale_wrong", "dx dgamma y", "sigma", "no eps", "leaves ε out", "np.sqrt(var + eps)", rank=1),
    mistake("bn_count_wrong", "dx dgamma y", "sigma", "sample variance", "uses the variance with M − 1",
            "x.var(axes)"),
    mistake("axis_wrong", "dx", "whole", _axis_one, "normalises over the features of a sample, not over the batch",
            DX),
    mistake("bn_count_wrong", "dx", "whole", _per_position, "takes means over the batch alone, for each position",
            DX, also="axis_wrong"),
    mistake("bn_gamma_missing", "dx", "whole", _product_with_gamma,
            "has the matrix product dy @ γ, one number for all channels, where γ belongs to each channel", DX,
            also="elementwise_in_place_of_matrix_product channel_axes_not_swapped"),
    mistake("bn_count_wrong", "dx", "whole", _dx_own_position,
            "has statistics over the batch alone, for each position its own: x.mean(0) of images", DX,
            also="axis_wrong bn_sum_axes_wrong"),
    mistake("bn_count_wrong", "dgamma", "whole", lambda p: (p.dy * _own_position(p)[0]).sum(axes_of(p["x"])),
            "has x̂ with statistics over the batch alone, for each position its own: x.mean(0) of images", DG,
            also="axis_wrong bn_sum_axes_wrong"),
    mistake("bn_gamma_missing", "dx", "out", lambda a, p: a * per_channel(p["gamma"], p["x"]),
            "has the factor γ twice", DX, also="extra_factor_in_delta", rank=1),
    mistake("bn_gamma_missing", "dx", "gamma factor", "left out", "lacks the factor γ", DX),
    mistake("bn_xhat_missing", "dgamma", "whole", lambda p: p.dy.sum(axes_of(p["x"])),
            "is Σ dy: the factor x̂ is left out", DG, also="returns_wrong_variable"),
    mistake("bn_xhat_missing", "dgamma", "whole", lambda p: (p.dy * p["x"]).sum(axes_of(p["x"])),
            "has x in place of x̂", DG, also="activation_derivative_of_wrong_tensor"),
    mistake("bn_xhat_missing", "dgamma", "whole",
            lambda p: (p.dy * (p["x"] - p["x"].mean(axes_of(p["x"]), keepdims=True))).sum(axes_of(p["x"])),
            "has x − μ in place of x̂", DG),
    mistake("bn_scale_wrong", "dgamma", "whole",
            lambda p: (p.dy * parts(p, {})[0] * parts(p, {})[1] ** 2).sum(axes_of(p["x"])),
            "multiplies x − μ by σ, where it has to be divided", DG, also="bn_xhat_missing"),
    mistake("bn_scale_wrong", "dgamma", "whole",
            lambda p: (p.dy * parts(p, {})[0] / parts(p, {})[1]).sum(axes_of(p["x"])),
            "divides x − μ by the variance, not by its root", DG, also="bn_xhat_missing"),
    mistake("output_used_instead_of_input", "dgamma", "whole", lambda p: (p.dy * p.y).sum(axes_of(p["x"])),
            "has y in place of x̂", DG, also="bn_xhat_missing"),
    mistake("bn_gamma_missing", "dgamma", "out", c.times("gamma"), "is multiplied by γ besides", DG,
            also="extra_factor_in_delta"),
    mistake("bias_gradient_wrong_tensor", "dbeta", "whole", lambda p: dgamma(p, {}), "is dγ", DB,
            also="returns_wrong_variable"),
    mistake("bias_gradient_wrong_tensor", "dbeta", "out", c.times("gamma"), "is multiplied by γ", DB,
            also="extra_factor_in_delta"),
    mistake("bias_gradient_wrong_tensor", "dbeta", "out", c.times("beta"), "is multiplied by β", DB,
            also="extra_factor_in_delta"),
    mistake("batch_sum_missing", "dbeta", "whole", lambda p: p.dy, "is dy, not summed", DB,
            also="bias_gradient_wrong_axes"),
    mistake("batch_sum_missing", "dgamma", "whole", lambda p: p.dy * parts(p, {})[0], "is dy·x̂, not summed", DG),
    *_wrong_axes("dgamma"), *_wrong_axes("dbeta"),
    mistake("dx_not_propagated", "dx", "whole", lambda p: p.dy, "is dy as it came", DX,
            also="returns_wrong_variable"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", DX),
    mistake("forward_formula_wrong", "y", "whole", lambda p: parts(p, {})[0] + 0 * p["x"], "leaves γ and β out",
            "gamma * xhat + beta"),
    *c.common("dx dgamma dbeta", zero={"dbeta": "missing_bias_gradient"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return images and rows, γ ≠ 1, and dy that does not add up to 0; ε as usual, and large enough to be seen."""
    made = []
    eps = options.get("eps")
    for shape, small in (
        ((3, 4, 2, 5), 1e-5),
        ((6, 4), 1e-5),
        ((5, 3), 1e-2),
        ((4, 2, 3, 3), 1e-2),
        ((7, 2), 1e-5),
    ):
        inputs = {
            "x": 2 * rng.normal(size=shape) + 1,
            "gamma": rng.uniform(0.5, 2, shape[1]),
            "beta": rng.normal(size=shape[1]),
        }
        inputs["x"] = inputs["x"] * (0.3 if small == 1e-2 else 1.0)
        tags = frozenset({"images"} if len(shape) == 4 else {"rows"})
        made.append(Probe(f"{'images' if len(shape) == 4 else 'rows'} {shape}", inputs,
                          rng.normal(size=shape) + 0.4, subject,
                          {"eps": eps if eps is not None else small}, tags))  # fmt: skip
    return made


def sizes(p: Probe) -> dict[str, float]:
    """Return what a factor may be made of."""
    x = p["x"]
    positions = int(np.prod(x.shape[2:]))
    return {"N": x.shape[0], "C": x.shape[1], "H·W": positions, "M": x.shape[0] * positions}


SUBJECT = Subject(
    "batch_norm2d", ("x", "gamma", "beta"), {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}, value, probes, MISTAKES,
    sizes,
    {"eps": 1e-5}, lines={"dx": DX, "dgamma": DG, "dbeta": DB}, terms={"dx": terms},
    factor_labels=dict.fromkeys(("H·W", "1/H·W"), "bn_count_wrong"),
)  # fmt: skip
