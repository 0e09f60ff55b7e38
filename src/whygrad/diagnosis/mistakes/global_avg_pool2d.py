"""What people get wrong about averaging whole channels: every position gets dy/(H·W)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = np.broadcast_to(dy[:, :, None, None] / (H * W), x.shape)"


def value(p: Probe, joints: Joints) -> Array:
    """The mean of each channel."""
    return p["x"].mean((2, 3))


def dx(p: Probe, joints: Joints) -> Array:
    """dy/(H·W) at every position."""
    height, width = p["x"].shape[2:]
    return np.broadcast_to(p.dy[:, :, None, None] / (height * width), p["x"].shape).copy()


def _corner(p: Probe) -> Array:
    out = np.zeros_like(p["x"])
    out[:, :, 0, 0] = p.dy
    return out


def _maximum(p: Probe) -> Array:
    return (p["x"] == p["x"].max((2, 3), keepdims=True)) * p.dy[:, :, None, None]


MISTAKES = (
    mistake("avgpool_share_wrong", "dx", "whole", _corner, "gives all of dy to the first position", LINE),
    mistake("avgpool_share_wrong", "dx", "whole", _maximum, "goes to the maximum", LINE,
            also="max_pooling_treated_as_average"),
    mistake("extra_factor_in_delta", "dx", "out", c.times("x"), "is multiplied by x besides", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.repeated(1),
            "takes the dy of channel 0 for every channel", LINE),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.summed(1), "takes the dy of all channels together", LINE),
    mistake("early_return_in_loop", "dx", "dy", c.only(1, 0), "comes from the first channel alone", LINE),
    mistake("overwritten_in_batch_loop", "dx", "dy", c.only(1, -1), "comes from the last channel alone", LINE),
    mistake("returns_wrong_variable", "dx", "dy", lambda a, p: p.y, "holds the means in place of dy", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.dy, "is dy itself", LINE,
            also="dx_not_propagated"),
    mistake("axis_wrong", "dx", "whole", lambda p: dx(p.changed(p.dy.sum(0, keepdims=True) + 0 * p.dy), {}),
            "takes the dy of all samples together", LINE),
    mistake("forward_formula_wrong", "y", "whole", lambda p: p["x"].sum((2, 3)), "is the sum of each channel",
            "x.mean(axis=(2, 3))", also="avgpool_share_wrong"),
    mistake("forward_formula_wrong", "y", "whole", lambda p: p["x"].max((2, 3)), "is the maximum of each channel",
            "x.mean(axis=(2, 3))"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return images of unlike sizes."""
    shapes = ((2, 3, 4, 5), (3, 2, 5, 3), (1, 4, 3, 3), (2, 2, 2, 7))
    return [Probe(f"{s}", {"x": spaced(rng, *s)}, rng.normal(size=s[:2]) + 0.3, subject) for s in shapes]


def sizes(p: Probe) -> dict[str, float]:
    """Return what a factor may be made of."""
    n, channels, height, width = p["x"].shape
    return {"H·W": height * width, "N": n, "C": channels, "H": height, "W": width}


SUBJECT = Subject(
    "global_avg_pool2d", ("x",), {"dx": dx}, value, probes, MISTAKES, sizes, lines={"dx": LINE},
    factor_labels=dict.fromkeys(("H·W", "1/H·W", "1/(H·W)", "H", "W", "1/H", "1/W"), "avgpool_share_wrong"),
)  # fmt: skip
