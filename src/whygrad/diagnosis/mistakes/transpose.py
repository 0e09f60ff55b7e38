"""What people get wrong about a transpose: dx takes the axes back by the inverse order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy.transpose(np.argsort(axes))"


def _axes(p: Probe) -> tuple[int, ...]:
    return tuple(p.options["axes"])


def value(p: Probe, joints: Joints) -> Array:
    """The samples with their axes in another order."""
    return p["x"].transpose(_axes(p))


def dx(p: Probe, joints: Joints) -> Array:
    """Put the axes back."""
    return p.dy.transpose(np.argsort(_axes(p)))


MISTAKES = (
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.transpose(_axes(p)),
            "is transposed by the same order again: its inverse is due", LINE, also="axis_wrong"),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.reshape(p["x"].shape),
            "is reshaped to the shape of x: the numbers stay where they are", LINE,
            also="channel_axes_not_swapped"),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy, "is dy with its axes as they came", LINE,
            also="dx_not_propagated returns_wrong_variable"),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.T, "has all axes reversed, as .T does", LINE,
            also="axis_wrong"),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.T.reshape(p["x"].shape),
            "has all axes reversed by .T and is then reshaped", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.rolled(0), "belongs to another sample", LINE),
    mistake("reshape_axes_wrong", "y", "whole", lambda p: p["x"].reshape(value(p, {}).shape),
            "is reshaped, which leaves the numbers where they are", "x.transpose(axes)"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return sizes that all differ, and orders that are not their own inverse."""
    made = []
    for shape, order in (((2, 3, 4, 5), (0, 2, 3, 1)), ((3, 4, 2, 5), (0, 3, 1, 2)), ((2, 5, 3), (0, 2, 1))):
        axes = tuple(options.get("axes", order))
        x = spaced(rng, *(shape if len(axes) == len(shape) else range(2, 2 + len(axes))))
        dy = rng.normal(size=x.transpose(axes).shape) + 0.2
        tags = frozenset({"an order that is not its own inverse"} if axes != tuple(np.argsort(axes)) else ())
        made.append(Probe(f"{x.shape} to {axes}", {"x": x}, dy, subject, {"axes": axes}, tags))
    return made


SUBJECT = Subject("transpose", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "size": p["x"][0].size}, {"axes": (0, 2, 3, 1)},
                  lines={"dx": LINE})  # fmt: skip
