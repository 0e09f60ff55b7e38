"""Activations whose dx is dy times a function of x, entry by entry, as it must be, but times a wrong one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.adapting import Result
from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Finding
from whygrad.typing import Array, IntArray

LABEL = "activation_derivative_formula_wrong"
#: How exactly the factor has to be the same for another dy and in another place.
EXACT = 1e-6


def as_formula(
    subject: Subject, finding: Finding, code: Callable[[Probe], Result], outcomes: Sequence[Outcome]
) -> Finding:
    """Return the finding about an unexplained dx as a wrong formula for f′, where that is all that it can be.

    The code is called again with another dy, with the entries of x and dy in another order, and with half of x
    changed. Where dx is dy times the same number each time, that number is a function of its own x alone, and it is
    not f′(x).

    Args:
        subject: the operation.
        finding: about dx; another one comes back as it is.
        code: the person's code.
        outcomes: its results at the probes.
    """
    usable = [o for o in outcomes if o.result.error is None and o.result.outputs.get("dx") is not None]
    knows = any(m.label == LABEL for m in subject.mistakes)
    if finding.cause is not None or finding.fine or not knows or not usable:
        return finding
    outcome = max(usable, key=lambda o: o.probe["x"].size)
    factor = local_factor(code, outcome)
    if factor is None:
        return finding
    return replace(
        finding,
        cause=LABEL,
        says="your dx is dy times a function of x, as it has to be, but that function is not f′(x)"
        + _sides(factor, outcome.probe),
        lesson=LESSONS[LABEL],
    )


def local_factor(code: Callable[[Probe], Result], outcome: Outcome) -> Array | None:
    """Return dx / dy at a probe if it is a function of x alone, entry by entry; None where it is not."""
    probe, dx = outcome.probe, outcome.result.outputs["dx"]
    if dx is None or dx.shape != probe.dy.shape or not probe.dy.all():
        return None
    factor: Array = dx / probe.dy
    rng = np.random.default_rng(0)
    order = rng.permutation(probe.dy.size)
    dy = rng.uniform(0.5, 2, dx.shape) * np.where(rng.random(dx.shape) < 0.5, -1, 1)
    kept = (np.arange(dx.size) % 2 == 0).reshape(dx.shape)
    calls = (
        (probe.changed(dy), factor, np.ones_like(kept)),
        (_ordered(probe, order), factor.ravel()[order].reshape(dx.shape), np.ones_like(kept)),
        (probe.changed(x=np.where(kept, probe["x"], 0.7 * probe["x"])), factor, kept),
    )
    bound = EXACT * float(np.abs(factor).max())
    for call, expected, where in calls:
        again = code(call).outputs.get("dx")
        if again is None or again.shape != dx.shape:
            return None
        if not np.allclose((again / call.dy)[where], expected[where], rtol=EXACT, atol=bound):
            return None
    return factor


def _ordered(probe: Probe, order: IntArray) -> Probe:
    x = probe["x"]
    return probe.changed(probe.dy.ravel()[order].reshape(x.shape), x=x.ravel()[order].reshape(x.shape))


def _sides(factor: Array, probe: Probe) -> str:
    """Return on which side of 0 the function is wrong, where it is on one alone."""
    x, slope = probe["x"], probe.right["dx"] / probe.dy
    wrong = ~np.isclose(factor, slope, rtol=1e-5, atol=1e-8)
    for side, name, rest in ((x < 0, "x < 0", "x > 0"), (x > 0, "x > 0", "x < 0")):
        if wrong.any() and side[wrong].all() and (~side).any():
            return f"; it is wrong for {name} and right for {rest}"
    return ""
