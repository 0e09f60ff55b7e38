"""Steps that are cut off to whole numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.recording import Recorded
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.subject import Subject

#: What makes numbers whole in code.
INTEGERS = r"\bint\(|astype\(\s*(np\.)?int|dtype\s*=\s*(np\.)?int|//"


def integral(subject: Subject) -> str | None:
    """Return a parameter of whole numbers."""
    return next((n for n in subject.names if subject.params[n].dtype.kind in "iu"), None)


def truncated(subject: Subject, steps: Sequence[Recorded]) -> Finding | None:
    """Return that steps round to whole numbers."""
    found = _whole_parameter(steps[0])
    if found is not None:
        return found
    moved = np.concatenate([r.taken[n].ravel() for r in steps for n in r.taken])
    if np.any(moved):
        if np.array_equal(moved, np.round(moved)):
            says = "every step changes the parameters by whole numbers only"
            return _cut_off("update", says, "compute with floats: no int() and no // in the update")
        return None
    needed = any(np.any(g) for g in steps[0].gradients.values())
    return _nothing_moves(subject) if needed else None


def _whole_parameter(step: Recorded) -> Finding | None:
    """Return that a parameter is an array of whole numbers, before the step or after it."""
    for name in step.gradients:
        for which in (step.params[name], step.after[name]):
            if which.dtype.kind in "iu":
                says = f"{name} is an array of whole numbers ({which.dtype}): what is subtracted from it is cut off"
                return _cut_off(f"update of {name}", says, f"{name} = {name}.astype(np.float64)")
    return None


def _nothing_moves(subject: Subject) -> Finding | None:
    """Return that steps of less than 1 are cut off to 0, where the code or the learning rate says so."""
    source = source_of(*within(subject.step_function))
    line = next((line.strip() for line in source.splitlines() if re.search(INTEGERS, line)), "")
    if not line and not isinstance(subject.learning_rate, int | np.integer):
        return None
    why = f"its code says: {line}" if line else f"the learning rate is the whole number {subject.learning_rate}"
    says = f"no step changes any parameter, though the gradients are not 0; {why}"
    fix = "keep the learning rate a float: 0.01 as a whole number is 0"
    return _cut_off("update", says, fix, also="layer_not_trained")


def _cut_off(where: str, says: str, fix: str, also: str = "") -> Finding:
    lesson = LESSONS.get("integer_truncation", "")
    return fault(where, "integer_truncation", says, fix=fix, also=also, lesson=lesson)


def within(function: Any, depth: int = 0) -> list[Any]:
    """Return a function and those of a person's own that it calls, as far as closures and globals tell."""
    function = getattr(function, "__wrapped__", function)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or depth > 2:
        return []
    found = [function]
    inner = [c.cell_contents for c in function.__closure__ or () if _filled(c)]
    inner += [function.__globals__[n] for n in function.__code__.co_names if n in function.__globals__]
    for other in inner:
        if isinstance(other, FunctionType) and (other.__module__ or "").split(".")[0] not in (
            "numpy",
            "whygrad",
            "scipy",
        ):
            found += within(other, depth + 1)
    return found


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
