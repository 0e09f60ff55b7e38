"""The suspicion that a training fails for what its step does, where that follows no formula that is known."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.training.descent import Descent
from whygrad.diagnosis.training.report import Trial, fault
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run


def suspect_step(subject: Subject) -> Iterator[Suspicion]:
    """Yield that the step is at fault: gradient descent with the same gradients and rate would show so."""
    rate = float(subject.learning_rate or 0.0)
    known = subject.followed is not None or subject.reference is not None
    if subject.step_function is None or subject.gradients_function is None or not rate or known:
        return
    finding = fault(
        "update",
        "optimizer_formula_wrong",
        f"the step fails where gradient descent at the same learning rate {rate:.3g} learns from the same "
        "gradients, and it follows no optimiser's formula that is known here",
        lesson=LESSONS.get("optimizer_formula_wrong", ""),
    )

    def remedy() -> Trial:
        return run(subject, f"gradient descent at {rate:.3g}", Descent(subject.gradients, rate, 0.0, None))

    fix = "compare a step by hand with the formula; w = w - learning_rate * g was run and learns"
    yield Suspicion(finding, [Remedy(remedy, fix)])
