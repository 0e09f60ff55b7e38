"""What people get wrong about dropout: y = x·mask/(1 − p), so dx = dy·mask/(1 − p) with the same mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Joints, Subject, mistake
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.probes import Probe, spaced
from whygrad.typing import Array

LINE = "dx = dy * mask / (1 - p)"


def mask_of(p: Probe) -> Array:
    """Return which entries the forward pass kept, as 0 and 1."""
    return np.asarray(p.options["_mask"])


def scale_of(p: Probe) -> float:
    """Return what the forward pass multiplied the rest by."""
    return float(p.options["_scale"])


def value(p: Probe, joints: Joints) -> Array:
    """x·mask·scale."""
    return p["x"] * mask_of(p) * scale_of(p)


def dx(p: Probe, joints: Joints) -> Array:
    """dy·mask·scale, each a joint."""
    mask = {"left out": np.ones_like(p.dy), "inverted": 1 - mask_of(p)}.get(joints.get("mask", ""), mask_of(p))
    rate = float(p.options["p"])
    scale = scale_of(p)
    scale = {"left out": 1.0, "twice": scale**2, "multiplied": 1 - rate, "by rate": 1 / rate, "rate": rate}.get(
        joints.get("scale", ""), scale
    )
    return p.dy * mask * scale


MISTAKES = (
    mistake("dropout_mask_not_applied", "dx", "mask", "left out", "leaves the mask out", LINE),
    mistake("mask_inverted", "dx", "mask", "inverted", "lets through what was dropped", LINE,
            also="dropout_mask_not_applied"),
    mistake("dropout_scale_wrong", "dx", "scale", "left out", "lacks the scale 1/(1 − p)", LINE),
    mistake("dropout_scale_wrong", "dx", "scale", "twice", "has the scale 1/(1 − p) twice", LINE),
    mistake("dropout_scale_wrong", "dx", "scale", "multiplied", "is multiplied by 1 − p, not divided", LINE),
    mistake("dropout_scale_wrong", "dx", "scale", "by rate", "is divided by p, not by 1 − p", LINE),
    mistake("dropout_scale_wrong", "dx", "scale", "rate", "is multiplied by p", LINE),
    mistake("dropout_mask_not_applied", "dx", "whole", lambda p: p.dy, "is dy as it came: neither mask nor scale",
            LINE, also="dx_not_propagated dropout_scale_wrong"),
    mistake("extra_factor_in_delta", "dx", "out", c.times("x"), "is multiplied by x besides", LINE),
    mistake("relu_mask_wrong_tensor", "dx", "whole", lambda p: p.dy * (p.y > 0) * scale_of(p),
            "lets dy through where y > 0: negative entries were kept as well", LINE,
            also="dropout_mask_not_applied"),
    mistake("upstream_gradient_not_multiplied", "dx", "whole", lambda p: mask_of(p) * scale_of(p),
            "is the mask alone: dy is left out", LINE),
    mistake("upstream_gradient_not_multiplied", "dx", "whole", mask_of,
            "is the mask alone: dy and the scale are left out", LINE, also="dropout_scale_wrong"),
    mistake("returns_wrong_variable", "dx", "whole", lambda p: p.y, "is y, the forward's value", LINE),
    *c.common("dx"),
)  # fmt: skip


def probes(subject: Subject, rng: np.random.Generator, options: Mapping[str, Any]) -> list[Probe]:
    """Return inputs without zeros; mask and scale are those that the code itself draws."""
    made = []
    for shape, rate in (((6, 7), 0.4), ((5, 8), 0.3), ((2, 3, 4, 5), 0.25), ((9, 6), 0.7)):
        p = float(options.get("p", rate))
        mask = (rng.random(shape) >= p) * 1.0
        made.append(Probe(f"{shape}, p = {p}", {"x": spaced(rng, *shape)}, rng.normal(size=shape) + 0.3, subject,
                          {"p": p, "_mask": mask, "_scale": 1 / (1 - p)}))  # fmt: skip
    return made


def sizes(p: Probe) -> dict[str, float]:
    """Return what a factor may be made of."""
    return {"(1−p)": 1 - float(p.options["p"]), "p": float(p.options["p"]), "N": p["x"].shape[0]}


SUBJECT = Subject("dropout", ("x",), {"dx": dx}, value, probes, MISTAKES, sizes, {"p": 0.5}, lines={"dx": LINE},
                  factor_labels={"*": "dropout_scale_wrong"})  # fmt: skip
