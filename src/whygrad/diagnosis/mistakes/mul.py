"""What people get wrong about a product: each factor gets dy times the other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "da, db = dy * b, dy * a"


def value(p: Probe, joints: Joints) -> Array:
    """The product, entry by entry."""
    return p["a"] * p["b"]


def da(p: Probe, joints: Joints) -> Array:
    """The gradient dy times b."""
    return p.dy * p["b"]


def db(p: Probe, joints: Joints) -> Array:
    """The gradient dy times a."""
    return p.dy * p["a"]


MISTAKES = (
    mistake("product_factors_swapped", "da", "whole", db, "is dy·a: the other factor is meant", LINE,
            also="extra_factor_in_delta returns_wrong_variable"),
    mistake("product_factors_swapped", "db", "whole", da, "is dy·b: the other factor is meant", LINE,
            also="extra_factor_in_delta returns_wrong_variable"),
    mistake("product_treated_as_sum", "da db", "whole", lambda p: p.dy, "is dy itself, as in a sum", LINE,
            also="dx_not_propagated"),
    mistake("upstream_gradient_not_multiplied", "da", "whole", lambda p: p["b"], "is b alone: dy is left out", LINE,
            also="returns_wrong_variable"),
    mistake("upstream_gradient_not_multiplied", "db", "whole", lambda p: p["a"], "is a alone: dy is left out", LINE,
            also="returns_wrong_variable"),
    mistake("extra_factor_in_delta", "da db", "whole", lambda p: p.dy * p.y, "is multiplied by the product", LINE),
    mistake("upstream_gradient_not_multiplied", "da", "whole", lambda p: p.dy + p["b"],
            "adds dy where it has to multiply by it", LINE),
    mistake("upstream_gradient_not_multiplied", "db", "whole", lambda p: p.dy + p["a"],
            "adds dy where it has to multiply by it", LINE),
    mistake("extra_factor_in_delta", "da", "whole", lambda p: p.dy * p["b"] ** 2, "contains b twice", LINE),
    mistake("extra_factor_in_delta", "db", "whole", lambda p: p.dy * p["a"] ** 2, "contains a twice", LINE),
    mistake("returns_wrong_variable", "da", "whole", lambda p: p["a"], "is a itself", LINE),
    mistake("returns_wrong_variable", "db", "whole", lambda p: p["b"], "is b itself", LINE),
    mistake("returns_wrong_variable", "da db", "whole", lambda p: p.y, "is the product itself", LINE),
    mistake("forward_formula_wrong", "y", "whole", lambda p: p["a"] + p["b"], "is the sum", "a * b"),
    *c.common("da db", zero={"da": "dx_not_propagated", "db": "dx_not_propagated"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return pairs of one shape."""
    shapes = ((2, 3, 4), (3, 5), (2, 2, 3, 4))
    return [
        Probe(f"{s}", {"a": spaced(rng, *s), "b": spaced(rng, *s)}, rng.normal(size=s) + 0.3, subject)
        for s in shapes
    ]


SUBJECT = Subject("mul", ("a", "b"), {"da": da, "db": db}, value, probes, MISTAKES,
                  lambda p: {"N": p["a"].shape[0]}, lines={"da": LINE, "db": LINE})  # fmt: skip
