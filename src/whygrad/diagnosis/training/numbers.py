"""The first value that is not finite: in which operation and sample, and from which finite numbers it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import copied
from whygrad.diagnosis.training.expressions import Culprit
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.tracing import first_not_finite
from whygrad.typing import Array

#: What a formula does that could be written so that it does not.
BREAKING = ("log_of_zero", "softmax_overflow", "division_by_zero")
#: Share of what is left of the time that one loss may take for others to be computed as well.
_SHARE = 1e-3
_LOGS = ("log", "log2", "log10", "log1p", "xlogy")
_EXPS = ("exp", "exp2", "expm1", "sinh", "cosh")
_LESSONS = {
    "log_of_zero": "A probability that rounds to 0 has the logarithm −∞. From logits, log p = z − max z − log "
    "Σ exp(z − max z) is finite for all of them.",
    "softmax_overflow": "exp(z) overflows for z above 709 in float64 and 88 in float32. Subtracting the "
    "largest score changes no probability, and no exp is above 1 then.",
    "division_by_zero": "Where the divisor can be 0, as a deviation or a norm can, a small number is added to "
    "it, or its case is treated apart.",
    "overflow": "Numbers beyond 1.8e308, in float32 beyond 3.4e38, are infinite, and ∞ − ∞ and 0·∞ are NaN "
    "from there on.",
}


def not_finite_from_the_start(subject: Subject) -> Any:
    """Return the first batch of a training whose loss is not finite at its first parameters, or None."""
    for batch in (subject.batch, *subject.stream):
        if not np.isfinite(subject.loss(None, batch)):
            return batch
        if subject.costs.get("loss", 0.0) > _SHARE * subject.clock.left:
            break
    return None


def examine_numbers(subject: Subject, params: Mapping[str, Array] | None = None, batch: Any = None) -> Evidence:
    """Say where the loss, or else its gradients, first have a value that is not finite.

    Args:
        subject: the training.
        params: where; as given if left out.
        batch: another batch than the training's.
    """
    at = subject.params if params is None else params
    for name, array in at.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            where = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
            says = f"the parameter {name} is not finite itself: {array[tuple(where)]} at {where}"
            return Evidence("numbers", (fault(name, None, says, fix="start from finite parameters"),))
    found = _of_loss(subject, at, batch)
    if found is None:
        found = _of_gradients(subject, at, batch)
    if found is None:
        return Evidence("numbers", says="the loss and its gradients are finite")
    return Evidence("numbers", (found,))


def _of_loss(subject: Subject, at: Mapping[str, Array], batch: Any) -> Finding | None:
    try:
        value = subject.loss(at, batch)
    except CallFailed as failed:
        if not any(
            word in failed.what
            for word in ("math domain", "OverflowError", "ZeroDivision", "FloatingPoint", "finite")
        ):
            return None
        value = float("nan")
    if np.isfinite(value):
        return None
    culprit = _traced(subject, subject.loss_function, at, batch)
    inside = getattr(subject.inside, "first_not_finite", None)
    if inside is not None and culprit is None:  # not in a loss or a layer of a person's own
        return _named_inside(str(inside(at, subject.batch if batch is None else batch)), value)
    return _told(subject, culprit, "loss", at, batch, value)


def _of_gradients(subject: Subject, at: Mapping[str, Array], batch: Any) -> Finding | None:
    if subject.gradients_function is None:
        return None
    try:
        gradients = subject.gradients(at, batch)
    except CallFailed:
        return None
    bad = [n for n, g in gradients.items() if not np.isfinite(g).all()]
    if not bad:
        return None
    culprit = _traced(subject, subject.gradients_function, at, batch)
    return _told(subject, culprit, f"gradient of {bad[0]}", at, batch, float("nan"))


def _traced(subject: Subject, function: Any, at: Mapping[str, Array], batch: Any) -> Culprit | None:
    subject.memory.redraw()
    subject.tally[0] += 1
    given = subject.passed(at)
    function = getattr(function, "__wrapped__", function)
    return first_not_finite(function, given, copied(subject.batch if batch is None else batch))


def _told(
    subject: Subject, culprit: Culprit | None, what: str, at: Mapping[str, Array], batch: Any, value: float
) -> Finding:
    sample = _sample(subject, at, batch) if what == "loss" else None
    shown = "NaN" if np.isnan(value) else "infinite"
    if culprit is None:
        says = f"the {what} is {shown}" + (f", from sample {sample} on" if sample is not None else "")
        return fault(
            "numbers",
            None,
            f"{says}; its lines could not be followed",
            fix="look for log(0), exp of large numbers, and divisions by 0",
        )
    label, why, fix = classified(culprit)
    place = f"line {culprit.line} of {culprit.file}, in {culprit.function}"
    says = (
        f"the {what} is {shown}: the first number that is not finite comes from {culprit.expression} "
        f"({place}), {why}"
    )
    if sample is not None:
        says += f"; the first sample with it is number {sample}"
    return fault(
        "numbers",
        label,
        says,
        fix=fix,
        lesson=_LESSONS.get(label or "", ""),
        line=culprit.line,
        expression=culprit.expression,
        operation=culprit.operation,
        also="overflow" if label == "softmax_overflow" else "",
    )


def classified(culprit: Culprit) -> tuple[str | None, str, str]:
    """Return the label of what an expression did, why it is not finite, and how to mend it."""
    sizes = [_range(o) for o in culprit.operands]
    given = ", ".join(f"{n} {s}" for n, s in zip(culprit.names, sizes, strict=True) if s)
    operands = [np.asarray(o) for o in culprit.operands if isinstance(o, np.ndarray | np.floating | float | int)]
    operation = culprit.operation
    if operation in _LOGS and operands:
        return _logarithm(operands[0], given)
    if operation in _EXPS:
        label = "softmax_overflow" if _summed(culprit.source) else "overflow"
        name = culprit.names[0] if culprit.names else "z"
        return label, f"which overflows: {given}", f"subtract the largest first: np.exp({name} - max)"
    by = _divisor(culprit, operands)
    if by is not None:
        return "division_by_zero", f"a division by 0: {given}", f"add a small number to {culprit.names[by]}"
    if operation in ("sqrt", "power") and operands and float(operands[0].min(initial=0)) < 0:
        return "overflow", f"a root of a negative number: {given}", "keep what is under the root above 0"
    if not given:  # a constant, or made of no numbers
        return None, "which is not computed from numbers", "see where it comes from"
    fix = "keep the numbers small: normalise inputs, smaller weights, a lower learning rate"
    return "overflow", f"which overflows: {given}", fix


def _summed(source: str) -> bool:
    """Return whether exponentials become shares of their sum, or its logarithm, in the code of a function."""
    return "softmax" in source.lower() or ("sum(" in source and ("/" in source or "log(" in source))


def _divisor(culprit: Culprit, operands: list[Any]) -> int | None:
    """Return which operand is 0 and divides, as a divisor or by a negative power; None where none does."""
    if culprit.operation in ("divide", "true_divide", "divmod") and len(operands) >= 2:
        return 1 if np.any(operands[1] == 0) else None
    if culprit.operation == "reciprocal" and operands:
        return 0 if np.any(operands[0] == 0) else None
    if culprit.operation in ("power", "float_power", "pow") and len(operands) >= 2:
        base, exponent = np.broadcast_arrays(operands[0], operands[1])
        return 0 if np.any((base == 0) & (exponent < 0)) else None
    return None


def _logarithm(operand: Any, given: str) -> tuple[str, str, str]:
    if float(operand.min(initial=np.inf)) < 0:
        fix = "take logarithms of probabilities alone"
        return "loss_formula_wrong", f"the logarithm of a negative number: {given}", fix
    fix = "compute log p from the logits, or add a small number: np.log(p + 1e-12)"
    return "log_of_zero", f"the logarithm of 0: {given}", fix


def _range(value: Any) -> str:
    if isinstance(value, np.ndarray | np.floating | float | int) and not isinstance(value, bool):
        array = np.asarray(value)
        if array.dtype.kind in "fiu" and array.size:
            low, high = float(array.min()), float(array.max())
            return f"= {low:.4g}" if low == high else f"from {low:.4g} to {high:.4g}"
    return ""


def _sample(subject: Subject, at: Mapping[str, Array], batch: Any) -> int | None:
    """Return the first sample whose loss alone is not finite."""
    if batch is not None or not subject.count or subject.count < 2:
        return None
    for i in range(min(subject.count, 64)):
        part = subject.part(np.array([i]))
        try:
            if part is not None and not np.isfinite(subject.loss(at, part)):
                return i
        except CallFailed:
            return None
    return None


def _named_inside(says: str, value: float) -> Finding:
    """Return the finding about a model of this package, whose operations are known to be stable."""
    del value
    return fault(
        "numbers",
        "overflow",
        f"the first number that is not finite: {says}",
        fix="lower what grows: the learning rate, the weights, the inputs",
        lesson=_LESSONS["overflow"],
    )
