"""What people get wrong about nearest-neighbour upsampling: dx is the sum of dy over each block of copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, fitting, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy.reshape(N, C, H, k, W, k).sum(axis=(3, 5))"


def value(p: Probe, joints: Joints) -> Array:
    """Each entry k·k times."""
    k = int(p.options["scale_factor"])
    return np.repeat(np.repeat(p["x"], k, 2), k, 3)


def _blocks(p: Probe) -> Array:
    (n, channels, height, width), k = p["x"].shape, int(p.options["scale_factor"])
    return p.dy.reshape(n, channels, height, k, width, k)


def dx(p: Probe, joints: Joints) -> Array:
    """The sum over each block."""
    blocks, how = _blocks(p), joints.get("block")
    if how == "first":
        return blocks[:, :, :, 0, :, 0]
    if how == "last":
        return blocks[:, :, :, -1, :, -1]
    if how == "maximum":
        return blocks.max((3, 5))
    return blocks.sum((3, 5))


def _tiles(p: Probe) -> Array:
    (n, channels, height, width), k = p["x"].shape, int(p.options["scale_factor"])
    return p.dy.reshape(n, channels, k, height, k, width).sum((2, 4))


def _rows_only(p: Probe) -> Array:
    return _blocks(p)[..., 0].sum(3)


def _misread(p: Probe) -> Array:
    (n, channels, height, width), k = p["x"].shape, int(p.options["scale_factor"])
    fitting(k > 1)
    return p.dy.reshape(n, channels, height, width, k * k).sum(-1)


MISTAKES = (
    mistake("overlap_overwritten", "dx", "block", "last", "keeps the last copy's dy of each block", LINE),
    mistake("early_return_in_loop", "dx", "block", "first",
            "keeps the first copy's dy of each block: dy[:, :, ::k, ::k]", LINE, also="overlap_overwritten"),
    mistake("max_pooling_treated_as_average", "dx", "block", "maximum",
            "is the maximum over each block, not the sum", LINE),
    mistake("reshape_axes_wrong", "dx", "whole", _tiles, "sums over far-apart entries: the axes of the reshape are "
            "exchanged", LINE),
    mistake("reshape_axes_wrong", "dx", "whole", _misread, "sums over k² entries of one row, not over a block",
            LINE),
    mistake("axis_wrong", "dx", "whole", _rows_only, "is summed along the rows of a block, but not along its "
            "columns", LINE, also="batch_sum_missing"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p["x"], "is x itself", LINE),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.dy, "is dy itself, in the size of the output",
            LINE, also="dx_not_propagated"),
    mistake("wrong_loop_variable_as_index", "dx", "dy", c.repeated(1),
            "takes the dy of channel 0 for every channel", LINE),
    mistake("forward_formula_wrong", "y", "whole",
            lambda p: np.tile(p["x"], (1, 1, int(p.options["scale_factor"]), int(p.options["scale_factor"]))),
            "repeats the whole image, not each entry", "np.repeat"),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return factors 2 and 3."""
    made = []
    for shape, k in (((2, 3, 2, 4), 2), ((3, 2, 3, 2), 3), ((1, 2, 4, 4), 2)):
        chosen = int(options.get("scale_factor", k))
        n, channels, height, width = shape
        dy = rng.normal(size=(n, channels, height * chosen, width * chosen)) + 0.2
        made.append(
            Probe(f"{shape}, factor {chosen}", {"x": spaced(rng, *shape)}, dy, subject, {"scale_factor": chosen})
        )
    return made


SUBJECT = Subject("upsample_nearest2d", ("x",), {"dx": dx}, value, probes, MISTAKES,
                  lambda p: {"k": int(p.options["scale_factor"]), "N": p["x"].shape[0], "C": p["x"].shape[1]},
                  {"scale_factor": 2}, lines={"dx": LINE},
                  factor_labels=dict.fromkeys(("k", "1/k", "k²", "1/k²"), "avgpool_share_wrong"))  # fmt: skip
