"""What people get wrong about taking rows and columns: what was shown twice gets both gradients, added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array, IntArray

LINE = "np.add.at(dx, (slice(None), slice(None), vertical[:, None], horizontal), dy)"


def _places(p: Probe) -> tuple[IntArray, IntArray]:
    return np.array(p.options["vertical"])[:, None], np.array(p.options["horizontal"])


def _added(p: Probe, rows: IntArray, columns: IntArray) -> Array:
    """Add every dy at the row and column that these arrays have at its place."""
    out = np.zeros_like(p["x"])
    rows, columns = np.broadcast_arrays(rows, columns)
    for i, j in np.ndindex(*p.dy.shape[2:]):
        out[:, :, rows[i, j], columns[i, j]] += p.dy[:, :, i, j]
    return out


def value(p: Probe, joints: Joints) -> Array:
    """The rows and columns that are named."""
    rows, columns = _places(p)
    return p["x"][:, :, rows, columns]


def dx(p: Probe, joints: Joints) -> Array:
    """Every dy added where its entry was taken from."""
    out, how = np.zeros_like(p["x"]), joints.get("write")
    rows, columns = _places(p)
    if how == "set":
        out[:, :, rows, columns] = p.dy
    elif how == "first":
        height, width = min(p.dy.shape[2], out.shape[2]), min(p.dy.shape[3], out.shape[3])
        out[:, :, :height, :width] = p.dy[:, :, :height, :width]
    elif how == "exchanged":
        return _added(p, columns, rows)
    else:
        return _added(p, rows, columns)
    return out


MISTAKES = (
    mistake("overlap_overwritten", "dx", "write", "set",
            "is overwritten where an entry was shown more than once: dx[...] = dy keeps the last", LINE),
    mistake("height_width_mixed_up", "dx", "write", "exchanged", "has rows and columns exchanged", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "write", "first",
            "stands in the first rows and columns, not where it was taken from", LINE, also="reshape_axes_wrong"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.dy, "is dy in its own shape", LINE,
            also="dx_not_propagated"),
    mistake("extra_factor_in_delta", "dx", "out", c.times("x"), "is multiplied by x besides", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("forward_formula_wrong", "y", "whole",
            lambda p: p["x"][:, :, _places(p)[0][::-1], _places(p)[1]], "takes the rows in the opposite order",
            "x[:, :, vertical[:, None], horizontal]"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return images of which rows are left out and columns shown twice."""
    made = []
    for shape in ((2, 3, 4, 4), (1, 2, 5, 4), (3, 2, 4, 5)):
        used = {
            "vertical": tuple(options.get("vertical", (3, 1, 1))),
            "horizontal": tuple(options.get("horizontal", (0, 2, 2, 3))),
        }
        dy = rng.normal(size=(*shape[:2], len(used["vertical"]), len(used["horizontal"]))) + 0.2
        made.append(Probe(f"{shape}", {"x": spaced(rng, *shape)}, dy, subject, used))
    return made


SUBJECT = Subject("take2d", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "C": p["x"].shape[1]},
                  {"vertical": (3, 1, 1), "horizontal": (0, 2, 2, 3)}, lines={"dx": LINE})  # fmt: skip
