"""What people get wrong about a sum: both inputs get dy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "da, db = dy, dy"


def value(p: Probe, joints: Joints) -> Array:
    """The sum, a + b."""
    return p["a"] + p["b"]


def gradient(p: Probe, joints: Joints) -> Array:
    """The gradient dy as it comes: each summand has the slope 1."""
    return p.dy


MISTAKES = (
    mistake("extra_factor_in_delta", "da", "whole", lambda p: p.dy * p["b"], "is multiplied by b, as in a product",
            LINE),
    mistake("extra_factor_in_delta", "db", "whole", lambda p: p.dy * p["a"], "is multiplied by a, as in a product",
            LINE),
    mistake("extra_factor_in_delta", "da", "whole", lambda p: p.dy * p["a"], "is multiplied by a", LINE),
    mistake("extra_factor_in_delta", "db", "whole", lambda p: p.dy * p["b"], "is multiplied by b", LINE),
    mistake("extra_factor_in_delta", "da db", "whole", lambda p: p.dy * p.y, "is multiplied by the sum", LINE),
    mistake("relu_mask_wrong_tensor", "da db", "whole", lambda p: p.dy * (p.y > 0),
            "is masked by [a + b > 0]: no relu is here", LINE, also="extra_factor_in_delta"),
    mistake("returns_wrong_variable", "da", "whole", lambda p: p["a"], "is a itself", LINE),
    mistake("returns_wrong_variable", "db", "whole", lambda p: p["b"], "is b itself", LINE),
    mistake("returns_wrong_variable", "da db", "whole", lambda p: p.y, "is the sum itself", LINE),
    mistake("forward_formula_wrong", "y", "whole", lambda p: p["a"] * p["b"], "is the product", "a + b"),
    *c.common("da db", zero={"da": "dx_not_propagated", "db": "dx_not_propagated"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return pairs of one shape."""
    shapes = ((2, 3, 4), (3, 5), (2, 2, 3, 4))
    return [
        Probe(f"{s}", {"a": spaced(rng, *s), "b": spaced(rng, *s)}, rng.normal(size=s) + 0.3, subject)
        for s in shapes
    ]


SUBJECT = Subject("add", ("a", "b"), {"da": gradient, "db": gradient}, value, probes, MISTAKES,
                  lambda p: {"N": p["a"].shape[0]}, lines={"da": LINE, "db": LINE})  # fmt: skip
