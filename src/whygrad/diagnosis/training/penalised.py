"""Gradients that are right but for a multiple of the parameter, as a regulariser adds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.training.mending import Mended
from whygrad.diagnosis.training.penalty import penalty
from whygrad.diagnosis.training.readings import Reading, read
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.slopes import typical
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


def penalised(
    subject: Subject, readings: dict[str, list[Reading]], mended: Mended, tolerance: float
) -> dict[str, Finding]:
    """Return the findings of gradients that differ by a multiple of the parameter, as a regulariser's does."""
    found: dict[str, Finding] = {}
    for name, taken in readings.items():
        factors = [(r.claimed - r.slope.value) / r.weight for r in taken if abs(r.weight) > 0]
        if len(factors) < 2:
            continue
        middle = float(np.median(factors))
        scale = max(abs(r.slope.value) + r.size for r in taken)
        noise = max(3 * r.slope.error + 10 * tolerance * scale for r in taken) / max(
            min(abs(r.weight) for r in taken), 1e-300
        )
        if np.ptp(factors) > 0.02 * abs(middle) + noise or abs(middle) < 5 * noise:
            continue
        found[name] = _of_penalty(subject, name, middle)
        if not found[name].fine:
            mended.factors[f"{name} penalty"] = middle
    return found


def penalised_in_part(
    subject: Subject, at: dict[str, Array], claimed: Mapping[str, Array], names: Sequence[str]
) -> dict[str, Finding]:
    """Return the findings of gradients that differ by a multiple of some of the parameter's entries."""
    found: dict[str, Finding] = {}
    rng = np.random.default_rng(2)
    for name in names:
        w = at[name]
        largest = np.argsort(-np.abs(w), axis=None)[: max(w.size // 3, 8)]
        chosen = rng.choice(largest, min(largest.size, 16), replace=False)
        ratios = []
        for i in chosen:
            direction = np.zeros(w.shape)
            direction.flat[i] = typical(w)
            r = read(subject, at, claimed, name, direction)
            if not r.weight:
                continue
            noise = 10 * r.slope.error + 1e-9 * abs(r.claimed)
            ratios.append((r.claimed - r.slope.value) / r.weight if abs(r.claimed - r.slope.value) > noise else 0.0)
        off = np.array([x for x in ratios if x])
        if len(off) >= max(4, len(ratios) // 3) and np.ptp(off) < 0.01 * abs(float(np.median(off))):
            middle = float(np.median(off))
            if middle > 0 and name not in penalty(subject):
                found[name] = _of_penalty(subject, name, middle)
                continue
            says = (
                f"the gradient of {name} is right but for {middle:+.4g}·{name} in {len(off)} of "
                f"{len(ratios)} entries that were compared: a regulariser of part of it"
            )
            found[name] = fault(
                f"gradient of {name}",
                "regulariser_gradient_wrong",
                says,
                fix=f"the gradient of ½λ·Σ{name}² is λ·{name}, for the entries that the sum has",
                lesson=LESSONS["regulariser_gradient_wrong"],
                difference=middle,
            )
    return found


def _of_penalty(subject: Subject, name: str, difference: float) -> Finding:
    """Return the finding of a gradient that is off by a multiple of its parameter."""
    inside = penalty(subject).get(name, 0.0)
    has = f"the loss has {inside / 2:.4g}·Σ{name}²" if inside else f"the loss has no term of {name} alone"
    says = (
        f"the gradient of {name} is right but for {difference:+.4g}·{name}: {has}, and the gradient has "
        f"{inside + difference:.4g}·{name} of it"
    )
    if not inside and difference > 0:
        return Finding(
            output=f"gradient of {name}",
            verdict=Judgement.CONVENTION,
            says=f"{says}. That is weight decay, which losses often leave out",
            evidence={"convention": True},
        )
    return fault(
        f"gradient of {name}",
        "regulariser_gradient_wrong",
        says,
        fix=f"add {inside:.4g}·{name} for {inside / 2:.4g}·Σ{name}² in the loss",
        lesson=LESSONS["regulariser_gradient_wrong"],
        difference=difference,
    )
