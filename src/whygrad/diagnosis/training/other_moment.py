"""Steps made of gradients that belong to another moment: an earlier step, or weights already updated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.training.adaptive import Adaptive
from whygrad.diagnosis.training.fitting import misfit
from whygrad.diagnosis.training.recording import Recorded, flat
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import run
from whygrad.typing import Array

#: Cosines between a step and its gradient: along it in some way, and nearly along it.
_ALONG, _NEARLY = 0.2, 0.95
#: Of Adam, which makes the gradients small.
_RATE = 0.01


def stale(subject: Subject, steps: Sequence[Recorded], rate: float) -> Evidence | None:
    """Return that steps use the gradient of an earlier batch or of earlier parameters."""
    if len(steps) < 3 or not rate:
        return None
    for what, old_params, old_batch in (
        ("the batch before", False, True),
        ("the parameters before", True, False),
        ("the step before", True, True),
    ):
        misses = []
        for before, now in pairwise(steps[1:]):
            source = before if old_params else now
            g = subject.gradients(source.params, before.batch if old_batch else now.batch)
            told = {n: rate * g[n] for n in now.taken if n in g}
            misses.append(misfit(flat(now.taken), flat(told), 0.0) if len(told) == len(now.taken) else np.inf)
        if max(misses) < 1e-3:
            says = f"every step uses the gradient of {what}, to {max(misses):.0e}"
            finding = fault(
                "update",
                "stale_gradient",
                says,
                fix="compute the gradients of this step's batch and parameters, then update",
                also="stale_cache",
                lesson=LESSONS.get("stale_cache", ""),
            )
            return Evidence("updates", (finding,))
    return None


def updated_too_early(subject: Subject, steps: Sequence[Recorded], exact: set[str]) -> Evidence | None:
    """Return that weights were updated before the layers before them got their gradients; ``exact`` steps are."""
    names = list(steps[0].gradients)
    odd = [n for n in names if n not in exact]
    weights = [n for n in names if n in subject.weights]
    if not exact or not odd or not weights or weights[-1] not in exact:
        return None
    if any(names.index(n) >= names.index(weights[-1]) for n in odd):
        return None
    near = min(_cosine(r.taken[n], r.gradients[n]) for r in steps for n in odd) > _ALONG
    if not near and not _nearer_with_small_steps(subject, steps[0], odd):
        return None
    says = (
        f"the steps of {', '.join(sorted(exact, key=names.index))} are exact, and those of "
        f"{', '.join(odd)}, which lie before, are "
        + ("near their gradients and not equal to them" if near else "nearer their gradients the smaller steps are")
        + ": the later layers were updated before dx was computed from their weights"
    )
    finding = fault(
        f"update of {', '.join(odd)}",
        "weights_updated_before_dx",
        says,
        fix="compute all gradients first, then update all parameters",
        also="optimizer_formula_wrong",
        lesson=LESSONS.get("weights_updated_before_dx", ""),
    )
    return Evidence("updates", (finding,))


def _nearer_with_small_steps(subject: Subject, first: Recorded, odd: Sequence[str]) -> bool:
    """Return whether steps come near their gradients where the later layers' updates are small.

    Weights that were updated too early are off by the update itself, so that what the layers before get is off by
    as much relative to it. After a training with the right gradients the update is small, and so is the error; a
    gradient that is wrong by itself stays as wrong as it was.
    """
    try:
        trial = run(subject, "with the right gradients", Adaptive(subject, _RATE), batch=first.batch, seconds=0.8)
        after = subject.stepper()(dict(trial.params), first.batch)
        gradients = subject.gradients(trial.params, first.batch)
    except CallFailed:
        return False
    for n in odd:
        taken = np.asarray(trial.params[n], np.float64) - np.asarray(after[n], np.float64)
        if _cosine(taken, gradients[n]) <= max(_NEARLY, _cosine(first.taken[n], first.gradients[n])):
            return False
    return True


def _cosine(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / size if size else 1.0
