"""What is wrong with gradients that are not those of the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.absent import absent
from whygrad.diagnosis.training.catalogue import named_by_catalogue
from whygrad.diagnosis.training.factors import by_factor, constant_factor, factor_name, sizes_of
from whygrad.diagnosis.training.mending import Mended, mend
from whygrad.diagnosis.training.penalised import penalised, penalised_in_part
from whygrad.diagnosis.training.readings import Reading, read
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.slopes import typical
from whygrad.diagnosis.training.stopping import OutOfTime
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

_LESSON = (
    "A factor that all gradients share comes from the loss. One that the first layers alone have comes from a "
    "layer after them, which hands on too much or too little."
)
#: How near a factor is to a whole number squared, relative.
_NEAR = 1e-4


def explained(
    subject: Subject,
    at: dict[str, Array],
    readings: dict[str, list[Reading]],
    claimed: Mapping[str, Array],
    tolerance: float,
) -> tuple[list[Finding], Mended]:
    """Return the findings of wrong gradients: constant factors, penalties, and else those of the catalogue."""
    known: dict[str, Finding] = {}
    mended = Mended()
    sums = sizes_of(subject)
    for name, taken in readings.items():
        g = claimed.get(name)
        if g is None or not np.any(g):
            known[name] = absent(subject, name, taken, missing=g is None)
            continue
        factor = constant_factor(taken, tolerance)
        if factor is not None:
            mended.factors[name] = factor
            known[name] = by_factor(name, factor, sums)
    known |= penalised(subject, {n: r for n, r in readings.items() if n not in known}, mended, tolerance)
    with suppress(OutOfTime):  # that a gradient is wrong is known by now, and is told in any case
        known |= penalised_in_part(subject, at, claimed, [n for n in readings if n not in known])
    rest = [n for n in readings if n not in known]
    try:
        if rest or any(_could_be_one_fault(f) for f in known.values()):
            known |= _by_catalogue(subject, at, rest, known, claimed)
    except OutOfTime:
        known |= {n: _by_no_plain_factor(n, (str(readings[n][0]),)) for n in rest}
    known |= _within_the_network(subject, known, mended.factors, sums)
    with suppress(OutOfTime):
        mend(mended, known, subject)
    ordered = sorted((known[n] for n in readings if n in known), key=lambda f: f.cause == "gradient_wrong")
    return _merged(subject, [f for f in ordered if not f.fine]), mended


def _within_the_network(
    subject: Subject, known: Mapping[str, Finding], factors: Mapping[str, float], sums: Mapping[str, float]
) -> dict[str, Finding]:
    """Return findings of parameters whose gradients alone have factors, none of which is made of the batch's size.

    A mean for a sum changes all gradients, or has the number of samples or of classes in it. A plain 4 in the first
    layers only arises between the layers: an average pool that hands its gradient on undivided, a slope left out.
    """
    plain = {n: f for n, f in factors.items() if n in known}
    if len(plain) == len(subject.names) and len({round(f, 5) for f in plain.values()}) == 1:
        return {}
    found = {}
    for name, factor in plain.items():
        said = factor_name(factor, sums)
        if known[name].cause != "batch_scale_wrong" or any(size in said for size in sums):
            continue
        square = round(factor**0.5)
        pooled = square > 1 and abs(factor / square**2 - 1) < _NEAR
        says = f"the gradient of {name} is {factor:.6g} times that of the loss, and others are not"
        if pooled:
            says += f": {square}·{square} is what a pool of averages does that hands its gradient on undivided"
        also = ("batch_scale_wrong", *(("avgpool_share_wrong",) if pooled else ()))
        found[name] = replace(
            by_factor(name, factor, sums), cause="gradient_wrong", says=says, also=also, lesson=_LESSON
        )
    return found


def _could_be_one_fault(finding: Finding) -> bool:
    return finding.evidence.get("factor_name") == ""


def _by_catalogue(
    subject: Subject,
    at: dict[str, Array],
    rest: Sequence[str],
    known: Mapping[str, Finding],
    claimed: Mapping[str, Array],
) -> dict[str, Finding]:
    """Return what the catalogue of mistakes says of parameters whose gradients differ by no plain factor."""
    told = named_by_catalogue(subject, at, [*rest, *known])
    found: dict[str, Finding] = {}
    for name in (*rest, *known):
        entry = told.get(name)
        if entry is not None and entry.cause is not None:
            found[name] = fault(
                f"gradient of {name}",
                entry.cause,
                entry.says,
                fix=entry.fix,
                also=(*entry.also, "gradient_wrong"),
                lesson=entry.lesson,
            )
        elif name in rest:
            notes = (_entries(subject, at, name, claimed), *(entry.notes if entry is not None else ()))
            found[name] = _by_no_plain_factor(name, notes)
    return found


def _by_no_plain_factor(name: str, notes: tuple[str, ...]) -> Finding:
    return fault(
        f"gradient of {name}",
        "gradient_wrong",
        f"the gradient of {name} is not that of the loss, and differs by no plain factor",
        notes=notes,
        fix=f"compare it entry by entry: whygrad.check_gradient shows where {name} differs",
    )


def _entries(subject: Subject, at: dict[str, Array], name: str, claimed: Mapping[str, Array]) -> str:
    """Return a few entries of a gradient beside differences of the loss."""
    g, told = claimed[name], []
    chosen = np.unique(np.linspace(0, g.size - 1, 3).astype(int))
    for i in chosen:
        direction = np.zeros(g.shape)
        direction.flat[i] = typical(at[name])
        r = read(subject, at, claimed, name, direction)
        index = [int(k) for k in np.unravel_index(int(i), g.shape)]
        told.append(
            f"at {index} {r.claimed / typical(at[name]):.4g}, "
            f"and differences of the loss give {r.slope.value / typical(at[name]):.4g}"
        )
    same = (
        f"it is one number in all {g.size} entries; "
        if g.size > 2 and float(np.ptp(g)) <= 1e-9 * float(np.abs(g).max())
        else ""
    )
    return f"{same}{name} has {'; '.join(told)}"


def _merged(subject: Subject, findings: list[Finding]) -> list[Finding]:
    """Return one finding for several parameters with one constant factor, or with errors that nothing explains."""
    plain = [f for f in findings if f.cause == "gradient_wrong" and len(f.notes) < 2 and "factor" not in f.evidence]
    if len(plain) > 1:
        names = ", ".join(_bare(f) for f in plain)
        says = f"the gradients of {names} are not those of the loss, and differ by no plain factor"
        one = fault(
            f"gradients of {names}",
            "gradient_wrong",
            says,
            fix="compare them entry by entry: whygrad.check_gradient shows where they differ",
        )
        one = replace(one, notes=plain[0].notes)
        findings = [f for f in findings if f not in plain] + [one]
    factors = {round(float(f.evidence["factor"]), 5) for f in findings if "factor" in f.evidence}
    if len(findings) < 2 or len(factors) != 1 or not all("factor" in f.evidence for f in findings):
        return findings
    if len(findings) != len(subject.names):
        return findings
    first = findings[0]
    says = first.says.replace(f"the gradient of {_bare(first)} is", "all gradients are").replace(
        f"the gradient of {_bare(first)} has", "all gradients have"
    )
    says = says.replace(" that of the loss", " those of the loss").replace("subtracting it", "subtracting them")
    factor = float(first.evidence["factor"])
    fix = (
        "subtract them where you add, or change the sign of all"
        if factor == -1
        else first.fix.replace(f"d{_bare(first)}", "g")
    )
    return [fault("gradients", first.cause, says, fix=fix, also=first.also, lesson=first.lesson, **first.evidence)]


def _bare(finding: Finding) -> str:
    return finding.output.removeprefix("gradient of ")
