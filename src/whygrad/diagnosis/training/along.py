"""Steps along the gradients that no formula gives: by other factors in other parameters or steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.training.clipped import clipped, clipped_by_value
from whygrad.diagnosis.training.factors import factor_name
from whygrad.diagnosis.training.other_moment import stale, updated_too_early
from whygrad.diagnosis.training.recording import Recorded
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


def along_gradients(subject: Subject, steps: Sequence[Recorded]) -> Evidence | None:
    """Judge steps that are along the gradients, by other factors in other parameters or steps."""
    names = list(steps[0].gradients)
    factors = {n: [_factor(r.taken[n], r.gradients[n]) for r in steps] for n in names}
    plain = {n for n in names if all(f is not None for f in factors[n])}
    rate = float(subject.learning_rate or 0) or float(
        np.median([f for n in plain for f in factors[n] if f is not None] or [0.0])
    )
    if plain == set(names):
        return _other_factors(subject, steps, {n: [f or 0.0 for f in factors[n]] for n in names}, rate)
    cut = clipped_by_value(steps, rate)
    if cut:
        return cut
    old = stale(subject, steps, rate)
    if old is not None:
        return old
    exact = {n for n in plain if all(abs((f or 0.0) / rate - 1) < 1e-3 for f in factors[n])} if rate else set()
    return updated_too_early(subject, steps, exact)


def _factor(taken: Array, gradient: Array) -> float | None:
    square = float((gradient**2).sum())
    if not square:
        return 0.0 if not np.any(taken) else None
    factor = float((taken * gradient).sum()) / square
    rounding = 1e-5 * float(np.sqrt((taken**2).sum()))
    return factor if float(np.sqrt(((taken - factor * gradient) ** 2).sum())) <= max(rounding, 1e-12) else None


def _other_factors(
    subject: Subject, steps: Sequence[Recorded], factors: dict[str, list[float]], rate: float
) -> Evidence | None:
    by_step = (
        [{float(f"{factors[n][k] / rate:.4g}") for n in factors if factors[n][k]} for k in range(len(steps))]
        if rate
        else []
    )
    if by_step and all(len(values) <= 1 for values in by_step):
        return clipped(steps, [next(iter(v), 0.0) for v in by_step], rate)
    wrong = {
        n: f
        for n, f in factors.items()
        if f[0] and rate and abs(f[0] / rate - 1) > 1e-3 and abs(f[0] / f[-1] - 1) < 1e-3
    }
    findings = []
    for name, values in wrong.items():
        factor = values[0] / rate
        label = "sign_error" if factor < 0 else "batch_scale_wrong"
        if label == "batch_scale_wrong" and not factor_name(factor, {"N": float(subject.count or 0) or 7.0}):
            continue
        says = f"{name} is changed by {factor:.5g} times the learning rate times its gradient" + (
            ": it climbs while the others descend" if factor < 0 else ""
        )
        findings.append(
            fault(
                f"update of {name}",
                label,
                says,
                fix=f"{name} = {name} - learning_rate * gradient",
                lesson=LESSONS.get(label, ""),
            )
        )
    return Evidence("updates", tuple(findings)) if findings else None
