"""What people get wrong about padding: dx is dy without the border."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.ops.windows import four_sides
from whygrad.typing import Array

LINE = "dx = dy[:, :, top:top + H, left:left + W]"


def _sides(p: Probe) -> tuple[int, int, int, int]:
    return four_sides("pad2d", p.options["padding"])


def value(p: Probe, joints: Joints) -> Array:
    """The image with zeros around it."""
    top, bottom, left, right = _sides(p)
    return np.pad(p["x"], ((0, 0), (0, 0), (top, bottom), (left, right)))


def dx(p: Probe, joints: Joints) -> Array:
    """Cut the border off dy."""
    top, bottom, left, right = _sides(p)
    (height, width), how = p["x"].shape[2:], joints.get("grid")
    if how == "top left":
        return p.dy[:, :, :height, :width]
    if how == "bottom right":
        return p.dy[:, :, top + bottom :, left + right :]
    if how == "minus slice":
        return p.dy[:, :, top:-bottom, left:-right]
    if how == "mixed up":
        return p.dy[:, :, left : left + height, top : top + width]
    if how == "uncropped":
        return p.dy
    return p.dy[:, :, top : top + height, left : left + width]


MISTAKES = (
    mistake("padding_not_cropped", "dx", "grid", "uncropped", "has the size of the padded image", LINE),
    mistake("padding_not_cropped", "dx", "grid", "top left", "is cut out at the corner: shifted by the padding",
            LINE, also="forward_backward_padding_disagree"),
    mistake("padding_not_cropped", "dx", "grid", "bottom right", "is cut at one side only, by twice the padding",
            LINE, also="forward_backward_padding_disagree"),
    mistake("crop_slice_minus_zero", "dx", "grid", "minus slice", "is cut by [p:-p], which is empty for p = 0",
            LINE),
    mistake("height_width_mixed_up", "dx", "grid", "mixed up", "is cut with rows and columns exchanged", LINE),
    mistake("padding_not_cropped", "dx", "whole", lambda p: value(p.changed(x=p.dy), {}),
            "is padded once more, where it has to be cropped", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("forward_formula_wrong", "y", "whole",
            lambda p: np.pad(p["x"], ((0, 0), (0, 0), _sides(p)[:2], _sides(p)[2:]), mode="edge"),
            "repeats the border in place of zeros", "np.pad(x, ...)"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return padding with and without zeros in it."""
    made = []
    for shape, padding in (((2, 3, 4, 5), 1), ((2, 2, 5, 3), 2), ((1, 2, 3, 4), 0), ((3, 1, 4, 6), (1, 2))):
        chosen = options.get("padding", padding)
        probe = Probe(
            f"{shape}, padding {chosen}", {"x": spaced(rng, *shape)}, np.zeros(0), subject, {"padding": chosen}
        )
        tags = frozenset({"padding > 0"} if any(_sides(probe)) else ())
        made.append(
            Probe(
                probe.name,
                probe.inputs,
                rng.normal(size=value(probe, {}).shape) + 0.2,
                subject,
                probe.options,
                tags,
            )
        )
    return made


SUBJECT = Subject("pad2d", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"N": p["x"].shape[0], "C": p["x"].shape[1]}, {"padding": 1},
                  lines={"dx": LINE})  # fmt: skip
