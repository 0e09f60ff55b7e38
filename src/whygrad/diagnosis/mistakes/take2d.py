"""What people get wrong about taking rows and columns: a pixel that is shown several times gets the sum.

It is what cropping, slicing and resizing to the nearest pixel have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array, IntArray

LINE = "np.add.at(dx, (slice(None), slice(None), vertical[:, None], horizontal), dy)  # dx starts at 0"


def _places(p: Probe) -> tuple[IntArray, IntArray]:
    return np.array(p.options["vertical"]), np.array(p.options["horizontal"])


def value(p: Probe, joints: Joints) -> Array:
    """The rows and columns that are shown."""
    vertical, horizontal = _places(p)
    return p["x"][:, :, vertical[:, None], horizontal]


def dx(p: Probe, joints: Joints) -> Array:
    """Add dy to the pixels that it came from."""
    vertical, horizontal = _places(p)
    how = joints.get("write")
    if how == "exchanged":
        vertical, horizontal = horizontal, vertical
    shown: Any = (slice(None), slice(None), vertical[:, None], horizontal)
    found = np.zeros_like(p["x"], dtype=np.float64)
    if how == "overwrite":
        found[shown] = p.dy
    elif how == "mean":
        counts = np.zeros_like(found)
        np.add.at(found, shown, p.dy)
        np.add.at(counts, shown, 1.0)
        found /= np.maximum(counts, 1)
    else:
        np.add.at(found, shown, p.dy)
    return found


def _corner(p: Probe) -> Array:
    height, width = p["x"].shape[2:]
    down, across = min(height, p.dy.shape[2]), min(width, p.dy.shape[3])
    found = np.zeros_like(p["x"], dtype=np.float64)
    found[:, :, :down, :across] = p.dy[:, :, :down, :across]
    return found


def _taken_again(p: Probe) -> Array:
    vertical, horizontal = _places(p)
    fitting(vertical.max() < p.dy.shape[2] and horizontal.max() < p.dy.shape[3])
    return p.dy[:, :, vertical[:, None], horizontal]


MISTAKES = (
    mistake("overlap_overwritten", "dx", "write", "overwrite",
            "keeps the last dy of a pixel that is shown several times: = where += is needed", LINE),
    mistake("batch_scale_wrong", "dx", "write", "mean", "is the mean over the places that show a pixel",
            LINE),
    mistake("height_width_mixed_up", "dx", "write", "exchanged", "takes rows for columns", LINE),
    mistake("forward_backward_padding_disagree", "dx", "whole", _corner,
            "is written from the corner on, whichever rows and columns were taken", LINE,
            also="padding_not_cropped"),
    mistake("dx_shape_wrong_no_convolution", "dx", "whole", lambda p: p.dy, "is dy itself, in the size of the "
            "output", LINE, also="returns_wrong_variable dx_not_propagated"),
    mistake("wrong_loop_variable_as_index", "dx", "whole", _taken_again,
            "takes the same rows and columns of dy: they have to be put back", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.repeated(1),
            "takes the dy of channel 0 for every channel", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("forward_formula_wrong", "y", "whole",
            lambda p: p["x"][:, :, _places(p)[0][:, None] - 1, _places(p)[1] - 1],
            "counts rows and columns from 1", "x[:, :, vertical[:, None], horizontal]"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return crops, and rows and columns that are shown several times or never."""
    made = []
    for shape, down, across in (
        ((2, 3, 4, 5), (0, 0, 1, 2, 2, 2), (4, 3, 1, 1)),
        ((3, 2, 5, 4), (1, 2, 3), (1, 2)),
        ((1, 2, 3, 4), (2, 2, 0, 1), (3, 0, 0, 2, 1)),
        ((2, 2, 4, 4), (0, 0, 2), (1, 3, 3)),
    ):
        vertical = tuple(options.get("vertical", down))
        horizontal = tuple(options.get("horizontal", across))
        size = (*shape[:2], max(shape[2], max(vertical) + 1), max(shape[3], max(horizontal) + 1))
        dy = rng.normal(size=(*shape[:2], len(vertical), len(horizontal))) + 0.2
        repeats = len(set(vertical)) < len(vertical) or len(set(horizontal)) < len(horizontal)
        tags = frozenset({"pixels that are shown several times"} if repeats else ())
        chosen = {"vertical": vertical, "horizontal": horizontal}
        made.append(Probe(f"{size}, rows {vertical}", {"x": spaced(rng, *size)}, dy, subject, chosen, tags))
    return made


SUBJECT = Subject("take2d", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "C": p["x"].shape[1]},
                  {"vertical": (0, 1), "horizontal": (0, 1)}, lines={"dx": LINE})  # fmt: skip
