"""Dropout draws its own mask: what a person's forward kept, and whether the backward pass used the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Finding, Judgement


def observed(outcome: Outcome) -> Outcome:
    """Return the outcome with the mask and the scale that the person's forward used, read off its value."""
    y, x = outcome.result.y, outcome.probe["x"]
    if y is None or y.shape != x.shape or not (y != 0).any():
        return outcome
    mask = (y != 0) * 1.0
    ratios = (y / x)[y != 0]
    scale = float(np.median(ratios))
    options = {**outcome.probe.options, "_mask": mask, "_scale": scale}
    return Outcome(
        Probe(
            outcome.probe.name,
            outcome.probe.inputs,
            outcome.probe.dy,
            outcome.probe.subject,
            options,
            outcome.probe.tags,
        ),
        outcome.result,
    )


def resampled(outcomes: Sequence[Outcome]) -> Finding | None:
    """Return the finding if the backward pass uses a mask, and another one than the forward pass."""
    told = 0
    for outcome in outcomes:
        dx = outcome.result.outputs.get("dx")
        if dx is None or dx.shape != outcome.probe.dy.shape:
            return None
        share = dx / outcome.probe.dy
        kept = share != 0
        if not kept.any() or np.ptp(share[kept]) > 1e-9 * np.abs(share).max() or kept.all():
            return None
        mask = np.asarray(outcome.probe.options["_mask"]) != 0
        if (kept == mask).all() or (kept == ~mask).all():
            return None
        told += 1
    if not told:
        return None
    return Finding(
        output="dx", verdict=Judgement.WRONG, cause="dropout_mask_resampled",
        says="your dx uses another mask than the forward pass: it was drawn again",
        evidence={"misfit": 0.0, "probes": told}, fix="keep the mask that the forward pass drew: cache = mask",
        lesson=LESSONS["dropout_mask_resampled"],
        also=("dropout_mask_not_applied",),
    )  # fmt: skip


def forward_scale(outcomes: Sequence[Outcome], finding: Finding) -> Finding:
    """Return the finding about y, which the observed mask makes right, with its scale judged."""
    for outcome in outcomes:
        scale, p = float(outcome.probe.options["_scale"]), float(outcome.probe.options["p"])
        y, x = outcome.result.y, outcome.probe["x"]
        if y is None:
            return finding
        usual = [1.0, 1 / (1 - p), 1 / p]
        even = np.allclose(y, x * np.asarray(outcome.probe.options["_mask"]) * scale)
        if even and not any(abs(scale - u) < 1e-6 * u for u in usual):
            named = "twice" if abs(scale - (1 - p) ** -2) < 1e-6 * scale else f"as {scale:.4g}"
            return replace(
                finding, verdict=Judgement.WRONG, cause="dropout_scale_wrong",
                says=f"your forward applies the scale 1/(1 − p) {named}",
                fix="y = x * mask / (1 - p)", lesson=LESSONS["dropout_scale_wrong"],
            )  # fmt: skip
    return finding
