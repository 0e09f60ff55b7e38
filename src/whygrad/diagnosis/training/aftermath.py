"""What follows from a fault in the training as given: numbers that stop being finite, units that died."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.numbers import examine_numbers
from whygrad.diagnosis.training.report import Evidence, Trial
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.units import dead_units


def with_aftermath(subject: Subject, finding: Finding, given: Trial) -> Finding:
    """Return the finding with what else follows from it: where numbers stop being finite, units that died."""
    notes, also = list(finding.notes), list(finding.also)
    if not given.finite and len(given.losses) > 1:
        numbers = where_not_finite(subject, given)
        if numbers.findings:
            notes.append(numbers.findings[0].says)
            if numbers.cause:
                also.append(numbers.cause)
    elif given.finite and subject.gradients_function is not None:
        for note in _dead(subject, given, known="dead_units" in (finding.cause, *also)):
            notes.append(note)
            also.append("dead_units")
    return replace(finding, notes=tuple(notes), also=tuple(dict.fromkeys(also)))


def _dead(subject: Subject, given: Trial, *, known: bool) -> list[str]:
    """Return that all units are dead after a training, or which layers' are, where that is not known yet."""
    notes = []
    still = subject.gradients(given.params)
    if still and not any(np.any(g) for g in still.values()) and given.last > 1e-6 * abs(given.first):
        notes.append(
            f"there every gradient is exactly 0, at a loss of {given.last:.3g}: "
            "every unit is dead, and nothing will change again"
        )
    died = {n: s for n, s in dead_units(subject, given.params).items() if s > 0.9}
    if died and not known and not notes:
        notes.append(
            f"after it {', '.join(f'{s:.0%} of the units of {n}' for n, s in died.items())} get no "
            "gradient from any sample: they are dead"
        )
    return notes


def where_not_finite(subject: Subject, given: Trial) -> Evidence:
    """Return where numbers stop being finite in the step after the last finite one."""
    for batch in (None, subject.watched):
        numbers = examine_numbers(subject, given.params, batch)
        if numbers.findings:
            return numbers
    try:
        after = subject.stepper()(dict(given.params), subject.batch)
    except CallFailed:
        return Evidence("numbers")
    return examine_numbers(subject, after)
