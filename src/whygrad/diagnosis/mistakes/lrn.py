"""What people get wrong about local response normalisation: each entry counts in its neighbours' means as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy * s**-beta - 2 * alpha * beta / size * x * around(dy * x * s**(-beta - 1))"


def _around(a: Array, size: int) -> Array:
    """The sums over ``size`` neighbouring channels, an odd number."""
    padded = np.pad(a, ((0, 0), (size // 2, size // 2), (0, 0), (0, 0)))
    return np.sum([padded[:, m : m + a.shape[1]] for m in range(size)], axis=0)


def _s(p: Probe) -> Array:
    o = p.options
    return 1 + o["alpha"] / o["size"] * _around(p["x"] ** 2, o["size"])


def value(p: Probe, joints: Joints) -> Array:
    """Each entry divided by a power of the mean square around it."""
    return p["x"] * _s(p) ** -p.options["beta"]


def dx(p: Probe, joints: Joints) -> Array:
    """Straight through, and by way of the neighbours' means."""
    o, s = p.options, _s(p)
    share = 2 * o["alpha"] * o["beta"] / o["size"] * joints.get("share", 1.0)
    power = joints.get("power", -o["beta"] - 1)
    neighbours = p.dy * p["x"] * s**power
    if joints.get("neighbours", True):
        neighbours = _around(neighbours, o["size"])
    return p.dy * s ** -o["beta"] - share * p["x"] * neighbours


MISTAKES = (
    mistake("lrn_neighbours_missing", "dx", "share", 0.0, "treats the mean square as a constant", LINE,
            also="bn_statistics_constant"),
    mistake("lrn_neighbours_missing", "dx", "neighbours", False, "counts the entry's own mean square alone", LINE,
            also="bn_variance_term_missing"),
    mistake("sign_error", "dx", "share", -1.0, "adds the neighbours' part, which has to be subtracted", LINE),
    mistake("lrn_factor_wrong", "dx", "share", 0.5, "lacks the factor 2 of the square's derivative", LINE),
    mistake("missing_activation_derivative", "dx", "whole", lambda p: p.dy, "is dy as it came", LINE,
            also="dx_not_propagated"),
    mistake("extra_factor_in_delta", "dx", "out", c.times("x"), "is multiplied by x besides", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.y, "is y itself", LINE),
    mistake("forward_formula_wrong", "y", "whole",
            lambda p: p["x"] * (1 + p.options["alpha"] * _around(p["x"] ** 2, p.options["size"]))
            ** -p.options["beta"], "takes the sum of the squares for their mean", "k + alpha / size * Σ x²"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return images of several channels."""
    made = []
    for shape, size in (((2, 5, 3, 2), 3), ((1, 4, 2, 3), 3), ((2, 6, 2, 2), 5)):
        used = {k: options.get(k, v) for k, v in {"size": size, "alpha": 1.5, "beta": 0.75}.items()}
        made.append(Probe(f"{shape}", {"x": spaced(rng, *shape)}, rng.normal(size=shape) + 0.3, subject, used))
    return made


SUBJECT = Subject("lrn", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "C": p["x"].shape[1], "size": p.options["size"]},
                  {"size": 3, "alpha": 1.5, "beta": 0.75}, lines={"dx": LINE})  # fmt: skip
