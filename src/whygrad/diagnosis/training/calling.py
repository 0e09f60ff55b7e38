"""Whether functions can be worked with: do they return, the same again, in time, and change no argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.clock import working_time
from whygrad.diagnosis.adapting import as_array, guarded
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.signatures import parameters
from whygrad.diagnosis.training.batches import copied
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.structure import flattened
from whygrad.diagnosis.training.subject import Subject

#: Seconds of one call from which on little can be tested.
_SLOW = 1.0


def examine_calling(subject: Subject) -> Evidence:
    """Call each function twice, and say what it raises, changes, or gives differently the second time."""
    findings: list[Finding] = whole_numbers(subject)
    notes: list[str] = []
    for who, function in (("loss", subject.loss_function), ("gradients", subject.gradients_function)):
        if function is None:
            continue
        began = working_time()
        written = _written(subject, function)
        seconds = working_time() - began
        try:
            first, second = (_number(subject, who) for _ in range(2))
        except CallFailed as failed:
            fix = "pass functions that work on params and batch as they are given here"
            findings.append(fault(who, None, f"the call of {failed}", fix=fix, verdict=Judgement.ERROR))
            continue
        if written:
            findings += _writing(subject, who, written)
        if who == "loss" and not _same(first, second):
            notes.append(
                f"the {who} is random: two calls with the same params and batch give {first:.6g} and "
                f"{second:.6g}; pass a function with a fixed seed to have its gradients tested"
            )
        if seconds > _SLOW:
            notes.append(f"one call of {who} takes {seconds:.2g} s: pass a smaller batch to have more tested")
    fine = "the functions return, the same again for the same arguments, and change none of them"
    return Evidence("calls", tuple(findings), "" if notes else fine, tuple(notes))


def _writing(subject: Subject, who: str, written: list[str]) -> list[Finding]:
    """Return that a function writes to its arguments, where that does harm: gradients may write to their batch."""
    early = who == "gradients" and any(n in subject.params for n in written)
    if not early and who != "loss":
        return []
    says = (
        f"{who} writes to {', '.join(written)} while it computes: what is computed after that is of changed numbers"
    )
    fix = "work on copies, and update the parameters after all gradients are known"
    return [fault(who, "weights_updated_before_dx" if early else None, says, fix=fix, verdict=Judgement.WRONG)]


def whole_numbers(subject: Subject) -> list[Finding]:
    """Return that parameters are whole numbers, from which nothing small can be subtracted."""
    whole = [n for n in subject.names if subject.params[n].dtype.kind in "iu"]
    if not whole:
        return []
    kind = subject.params[whole[0]].dtype
    says = f"{', '.join(whole)} are arrays of whole numbers ({kind}): what is subtracted from them is cut off"
    fix = f"{whole[0]} = {whole[0]}.astype(np.float64)"
    return [fault("parameters", "integer_truncation", says, fix=fix, lesson=LESSONS.get("integer_truncation", ""))]


def is_random(subject: Subject) -> bool:
    """Return whether the loss differs from call to call for the same arguments, beyond rounding."""
    first, second = subject.loss(), subject.loss()
    return not _same(first, second)


def _same(first: float, second: float) -> bool:
    return (
        (np.isnan(first) and np.isnan(second))
        or first == second
        or abs(first - second) <= 1e-5 * max(abs(first), abs(second))
    )


def _number(subject: Subject, who: str) -> float:
    if who == "loss":
        return subject.loss()
    return float(sum(np.abs(g).sum() for g in subject.gradients().values()))


def _written(subject: Subject, function: Any) -> list[str]:
    """Return which of its arguments a function writes to."""
    params = subject.passed(subject.params)
    batch = copied(subject.batch)
    before, kept = {n: np.array(a) for n, a in subject.params.items()}, copied(batch)
    subject.tally[0] += 1
    guarded(lambda: function(params) if len(parameters(function)) == 1 else function(params, batch))
    now = params if subject.form is None else flattened(params)
    changed = [n for n, a in before.items() if n not in now or not _equal(a, now[n])]
    return changed + ([] if _alike(kept, batch) else ["its batch"])


def _equal(a: Any, b: Any) -> bool:
    x, y = as_array(a), as_array(b)
    return x is not None and y is not None and np.array_equal(x, y, equal_nan=True)


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return _equal(a, b) if a.dtype.kind in "fiub" else True
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(_alike(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Mapping):
        return all(_alike(v, b.get(k)) for k, v in a.items())
    return True
