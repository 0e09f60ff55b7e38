"""What is said of a hypothesis: the sentence, the line that mends it, the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Subject
from whygrad.diagnosis.hypotheses import Hypothesis, Sample, Search, right_of
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.scaling import Factor
from whygrad.typing import Array

#: What a lone factor is called, unless the operation knows better.
FACTORS = {"-1": ("sign_error", ()), "2": ("gradient_counted_twice", ("batch_scale_wrong",))}


def causes_of(subject: Subject, hypothesis: Hypothesis) -> tuple[str, ...]:
    """Return the labels of a hypothesis: its mistakes', then its factor's."""
    if hypothesis.factor.cost:
        return (*hypothesis.labels, factor_label(subject, hypothesis.factor)[0])
    return hypothesis.labels


def beside(subject: Subject, hypothesis: Hypothesis) -> tuple[str, ...]:
    """Return the labels that name the same as a hypothesis."""
    also = tuple(label for m in hypothesis.mistakes for label in m.also)
    return also + (factor_label(subject, hypothesis.factor)[1] if hypothesis.factor.cost else ())


def factor_label(subject: Subject, factor: Factor) -> tuple[str, tuple[str, ...]]:
    """Return the cause that a factor stands for, and what else it may be called."""
    plain = factor.name.removeprefix("-")
    if factor.sign_only:
        return FACTORS["-1"]
    if plain in subject.factor_labels:
        return subject.factor_labels[plain], ("batch_scale_wrong",)
    if "*" in subject.factor_labels:
        return subject.factor_labels["*"], ("batch_scale_wrong",)
    if plain in FACTORS:
        return FACTORS[plain]
    extra = ("sign_error",) if factor.name.startswith("-") else ()
    return "batch_scale_wrong", ("extra_factor_in_delta", *extra)


def written(
    subject: Subject, output: str, best: Hypothesis, found: Search, known: Sequence[Sample], where: str, label: str
) -> Finding:
    """Return the finding for a hypothesis, under one of its labels."""
    causes = dict.fromkeys((*causes_of(subject, best), *beside(subject, best)))
    also = tuple(other for other in causes if other != label)
    fixes = [m.fix for m in best.mistakes if m.fix]
    if best.factor.cost:
        line = subject.lines.get(output, "") if not best.mistakes else ""
        fixes.append(correction(output, best.factor) + (f", so that {line}" if line else ""))
    lessons = dict.fromkeys([m.why for m in best.mistakes if m.why] or [LESSONS.get(label, "")])
    misfit = any(s.value is not None and s.value.shape != right_of(s.probe, output).shape for s in known)
    return Finding(
        output=output,
        verdict=Judgement.SHAPE if misfit else Judgement.WRONG,
        cause=label,
        also=also,
        says=sentence(output, best),
        evidence=evidence(best, found, known),
        where=where,
        fix=with_shapes("; ".join(fixes), known),
        lesson=" ".join(lessons),
    )


def correction(output: str, factor: Factor) -> str:
    """Return what takes a factor away again.

    Example:
        >>> correction("dw", Factor("1/N", (0.5,), True, 2)), correction("db", Factor("-1", (-1.0,), True, 1))
        ('dw = N * dw', 'db = -db')
    """
    if factor.sign_only:
        return f"{output} = -{output}"
    sign, name = ("-" if factor.name.startswith("-") else ""), factor.name.removeprefix("-").replace("·", "*")
    if name.startswith("1/"):
        return f"{output} = {sign}{name[2:]} * {output}"
    return f"{output} = {sign}{output} / {name if name.isalnum() or '(' in name else f'({name})'}"


def sentence(output: str, hypothesis: Hypothesis) -> str:
    """Return what was done, in one sentence."""
    does = [m.does for m in hypothesis.mistakes]
    if hypothesis.factor.cost:
        factor = hypothesis.factor
        does.append("has the wrong sign" if factor.sign_only else f"is {factor.name} times what it should be")
    return f"your {output} {', and it '.join(does)}".replace(", and it is wrong: ", ", and, ")


def evidence(best: Hypothesis, found: Search, known: Sequence[Sample]) -> dict[str, Any]:
    """Return how exactly the hypothesis reproduces the numbers, and how far the nearest rival is from it."""
    entries = sum(s.value.size for s in known if s.value is not None)
    said: dict[str, Any] = {"misfit": best.misfit, "probes": len(known), "entries": entries}
    if not best.mistakes:
        said["factor_name"] = best.factor.name
    if found.rival is not None and np.isfinite(found.rival_misfit):
        said |= {"rival": found.rival, "rival_misfit": found.rival_misfit}
    return said


def with_shapes(fix: str, known: Sequence[Sample]) -> str:
    """Return a line of code with the shapes of the arrays behind it."""
    probe = known[0].probe
    if not fix or probe.subject.name in ("network", "loss"):
        return fix
    arrays: Mapping[str, Array] = {**probe.inputs, "dy": probe.dy}
    shapes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items() if a.ndim > 1)
    return f"{fix}  # {shapes}"


def undecided(
    output: str, equals: Sequence[Hypothesis], known: Sequence[Sample], where: str, found: Search
) -> Finding:
    """Return the finding where several hypotheses give the same numbers: all are told, and none is the cause."""
    told = [sentence(output, h).removeprefix(f"your {output} ") for h in equals[:3]]
    labels = tuple(dict.fromkeys(label for h in equals for label in h.labels))
    return Finding(
        output=output,
        verdict=Judgement.WRONG,
        also=labels,
        says=f"your {output} is wrong, and these fit equally well: it {'; or it '.join(told)}",
        evidence=evidence(equals[0], found, known),
        where=where,
    )
