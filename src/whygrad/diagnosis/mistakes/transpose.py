"""What people get wrong about transposing: the gradient takes the inverse order, which is seldom the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy.transpose(np.argsort(axes))"


def _axes(p: Probe) -> tuple[int, ...]:
    return tuple(p.options["axes"])


def value(p: Probe, joints: Joints) -> Array:
    """The entries of x with their axes in another order."""
    return p["x"].transpose(_axes(p))


def dx(p: Probe, joints: Joints) -> Array:
    """The axes of dy put back."""
    return p.dy.transpose(np.argsort(_axes(p)))


def _forward_order(p: Probe) -> Array:
    return p.dy.transpose(_axes(p))


def _last_two(p: Probe) -> Array:
    fitting(p.dy.ndim > 2)
    return p.dy.swapaxes(-1, -2)


MISTAKES = (
    mistake("transpose_not_inverted", "dx", "whole", _forward_order,
            "takes the forward's order of axes once more, not its inverse", LINE, also="reshape_axes_wrong"),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.reshape(p["x"].shape),
            "is reshaped, which leaves the numbers where they are", LINE),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy, "is dy with its axes as they came", LINE,
            also="dx_not_propagated transpose_not_inverted"),
    mistake("reshape_axes_wrong", "dx", "whole", lambda p: p.dy.reshape(p["x"].shape, order="F"),
            "is reshaped column by column", LINE),
    mistake("reshape_axes_wrong", "dx", "whole", _last_two, "has its last two axes exchanged, and no others", LINE,
            also="transpose_not_inverted"),
    mistake("reshape_axes_wrong", "dx", "out", c.flipped(-1), "is reversed", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.rolled(0), "belongs to another sample", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("reshape_axes_wrong", "y", "whole", lambda p: p["x"].reshape(p["x"].transpose(_axes(p)).shape),
            "is reshaped, which leaves the numbers where they are", "x.transpose(axes)"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return images whose channels go last, of unlike and of like sizes."""
    made = []
    for shape in ((2, 3, 4, 5), (3, 2, 5, 4), (2, 3, 3, 3)):
        axes = tuple(options.get("axes", (0, 2, 3, 1)))
        x = spaced(rng, *shape)
        dy = rng.normal(size=x.transpose(axes).shape) + 0.2
        made.append(Probe(f"{shape}", {"x": x}, dy, subject, {"axes": axes}))
    return made


SUBJECT = Subject("transpose", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0]}, {"axes": (0, 2, 3, 1)}, lines={"dx": LINE})  # fmt: skip
