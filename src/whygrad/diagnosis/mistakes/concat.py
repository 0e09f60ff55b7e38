"""What people get wrong about concatenation: each input gets its own part of dy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "da, db = np.split(dy, [a.shape[1]], axis=1)"


def value(p: Probe, joints: Joints) -> Array:
    """a, then b, along axis 1."""
    return np.concatenate([p["a"], p["b"]], 1)


def part(p: Probe, joints: Joints, name: str) -> Array:
    """The part of dy that belongs to an input."""
    at, width = (0, p["a"].shape[1]) if name == "a" else (p["a"].shape[1], p["b"].shape[1])
    how = joints.get("part")
    if how == "other order":
        at = p["b"].shape[1] if name == "a" else 0
    elif how == "start":
        at = 0
    elif how == "end":
        at = p.dy.shape[1] - width
    elif how == "off by one":
        at = at + 1 if name == "a" else at - 1
    elif how == "halves":
        half = p.dy.shape[1] // 2
        return p.dy[:, :half] if name == "a" else p.dy[:, half:]
    fitting(at >= 0 and at + width <= p.dy.shape[1])
    return p.dy[:, at : at + width]


MISTAKES = (
    mistake("sign_or_order_wrong", "da db", "part", "other order",
            "is the other input's part: the order is exchanged", LINE),
    mistake("sign_or_order_wrong", "db", "part", "start", "starts at 0, where a's part starts", LINE,
            also="wrong_loop_variable_as_index", rank=1),
    mistake("sign_or_order_wrong", "da", "part", "end", "ends where b's part ends", LINE,
            also="wrong_loop_variable_as_index", rank=1),
    mistake("loop_bounds_off_by_one", "da db", "part", "off by one", "is off by one place", LINE),
    mistake("sign_or_order_wrong", "da db", "part", "halves", "is one half of dy: the widths differ", LINE),
    mistake("returns_wrong_variable", "da db", "whole", lambda p: p.dy, "is all of dy", LINE),
    mistake("returns_wrong_variable", "da", "whole", lambda p: p["a"], "is a itself", LINE),
    mistake("returns_wrong_variable", "db", "whole", lambda p: p["b"], "is b itself", LINE),
    mistake("forward_formula_wrong", "y", "whole", lambda p: np.concatenate([p["b"], p["a"]], 1),
            "joins them in the other order", "np.concatenate([a, b], axis=1)"),
    *c.common("da db", zero={"da": "dx_not_propagated", "db": "dx_not_propagated"}),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return inputs of unlike widths."""
    made = []
    for n, first, second, rest in ((2, 3, 5, ()), (3, 4, 2, ()), (2, 2, 4, (3, 2)), (4, 3, 3, ())):
        a, b = spaced(rng, n, first, *rest), spaced(rng, n, second, *rest)
        made.append(
            Probe(
                f"{first} and {second} wide",
                {"a": a, "b": b},
                rng.normal(size=(n, first + second, *rest)) + 0.3,
                subject,
            )
        )
    return made


SUBJECT = Subject("concat", ("a", "b"), {"da": partial(part, name="a"), "db": partial(part, name="b")}, value,
                  probes, MISTAKES,
                  lambda p: {"N": p["a"].shape[0]}, lines={"da": LINE, "db": LINE})  # fmt: skip
