"""What people get wrong about local response normalisation: dx has a way through the neighbours' denominators.

y = x·s^(−β) with s = k + α/size·Σ x² over the channels around, so
dx = dy·s^(−β) − 2αβ/size·x·Σ dy·x·s^(−β−1) over the channels that this one is a neighbour of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.composition import Term
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy * s**-beta - 2 * alpha * beta / size * x * around(dy * x * s ** (-beta - 1))"


def _around(values: Array, size: int, before: int) -> Array:
    channels = values.shape[1]
    total = np.zeros_like(values)
    for m in range(channels):
        total[:, m] = values[:, max(0, m - before) : max(0, m - before + size)].sum(1)
    return total


def _numbers(p: Probe) -> tuple[int, float, float, float]:
    o = p.options
    return int(o["size"]), float(o["alpha"]), float(o["beta"]), float(o["k"])


def _base(p: Probe) -> Array:
    size, alpha, _, k = _numbers(p)
    return k + alpha / size * _around(p["x"] ** 2, size, (size - 1) // 2)


def value(p: Probe, joints: Joints) -> Array:
    """The entries divided by s^β."""
    return p["x"] * _base(p) ** -_numbers(p)[2]


def straight(p: Probe) -> Array:
    """The way through the numerator."""
    return p.dy * _base(p) ** -_numbers(p)[2]


def dx(p: Probe, joints: Joints) -> Array:
    """The way through the numerator, and that through every denominator."""
    size, alpha, beta, _ = _numbers(p)
    base, how = _base(p), joints.get("through", "")
    power = {"power β": -beta, "power 1": -1.0}.get(how, -beta - 1)
    share = p.dy * p["x"] * base**power
    before = (size - 1) // 2 if how == "same neighbours" else size // 2
    around = share if how == "itself alone" else _around(share, size, before)
    factor = {
        "2 left out": alpha * beta / size,
        "β left out": 2 * alpha / size,
        "α left out": 2 * beta / size,
        "size left out": 2 * alpha * beta,
    }.get(how, 2 * alpha * beta / size)
    return straight(p) + (factor if how == "added" else -factor) * (1.0 if how == "x left out" else p["x"]) * around


def terms(p: Probe) -> list[Term]:
    """Return the two ways."""
    wrong = "activation_derivative_formula_wrong"
    through = dx(p, {}) - straight(p)
    return [
        Term("the way through the numerator", straight(p), wrong, wrong),
        Term("the way through the denominators", through, "bn_statistics_constant", wrong),
    ]


def _formula(how: str, does: str, label: str = "activation_derivative_formula_wrong", also: str = "") -> Any:
    return mistake(label, "dx", "through", how, does, LINE, also=also)


MISTAKES = (
    mistake("bn_statistics_constant", "dx", "whole", straight,
            "treats the denominator as a constant: the way through the neighbours' sums is left out", LINE,
            also="activation_derivative_formula_wrong"),
    _formula("itself alone", "goes through its own denominator alone: every channel around has x in its own too",
             "batch_sum_missing", "activation_derivative_formula_wrong"),
    _formula("added", "adds the way through the denominators: it is subtracted", "sign_error"),
    _formula("2 left out", "lacks the factor 2 of the square's derivative in the way through the denominators",
             also="batch_scale_wrong"),
    _formula("β left out", "lacks the factor β in the way through the denominators"),
    _formula("α left out", "lacks the factor α in the way through the denominators"),
    _formula("size left out", "does not divide by size in the way through the denominators",
             also="batch_scale_wrong"),
    _formula("x left out", "lacks the factor x in the way through the denominators"),
    _formula("power β", "has s^(−β) where s^(−β−1) is due: the power loses 1 when it is derived"),
    _formula("power 1", "has 1/s where s^(−β−1) is due"),
    _formula("same neighbours", "sums over the channels that it looks at, not those that look at it: they differ "
             "where size is even", "sign_or_order_wrong"),
    mistake("missing_activation_derivative", "dx", "whole", lambda p: p.dy, "is dy as it came", LINE,
            also="dx_not_propagated returns_wrong_variable"),
    mistake("activation_derivative_of_wrong_tensor", "dx", "whole",
            lambda p: p.dy * value(p, {}), "is dy times the output", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("forward_formula_wrong", "y", "whole", lambda p: p["x"] / _base(p), "divides by s, without the power β",
            "x * s**-beta"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return odd and even sizes, with constants that make the neighbours matter."""
    made = []
    kinds = (((2, 5, 3, 2), 3), ((3, 4, 2, 3), 4), ((1, 6, 2, 2), 5), ((2, 3, 2, 4), 2))
    for shape, size in kinds:
        chosen = {"size": size, "alpha": 0.9, "beta": 0.75, "k": 1.3, **options}
        tags = frozenset({"an even size"} if not int(chosen["size"]) % 2 else ())
        name = f"{shape}, {chosen['size']} channels"
        dy = rng.normal(size=shape) + 0.2
        made.append(Probe(name, {"x": spaced(rng, *shape)}, dy, subject, chosen, tags))
    return made


SUBJECT = Subject("lrn", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "C": p["x"].shape[1], "size": int(p.options["size"])},
                  {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0}, lines={"dx": LINE},
                  terms={"dx": terms})  # fmt: skip
