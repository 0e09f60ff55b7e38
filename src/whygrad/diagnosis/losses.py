"""``diagnose_loss``: the gradient of a loss, compared with differences of that same loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whygrad.checking.time_limit import Limited
from whygrad.diagnosis.adapting import Result, as_array, guarded
from whygrad.diagnosis.catalogue import Joints, Subject
from whygrad.diagnosis.differences import differences
from whygrad.diagnosis.hints import source_of
from whygrad.diagnosis.judging import judge
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.mistakes.losses import loss_mistakes
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.errors import CheckError, OptionError
from whygrad.typing import Array

TIME_LIMIT = 10.0


def diagnose_loss(
    loss: Callable[..., Any],
    gradient: Callable[..., Any],
    z: Any,
    target: Any,
    *,
    seed: int = 0,
    time_limit: float = TIME_LIMIT,
) -> Diagnosis:
    """Say what is wrong with the gradient of a loss.

    The reference is the loss itself, by differences: whatever it computes, its gradient must be that one's.

    Args:
        loss: ``loss(z, target)`` → a number.
        gradient: ``gradient(z, target)`` → an array of the shape of z.
        z: what the loss is a function of: scores, probabilities or values, (N, classes) or any shape.
        target: classes, rows of 0 and 1, or values.
        seed: of further points beside z.
        time_limit: seconds that one call may take.

    Returns:
        The diagnosis, with one finding "dz".

    Raises:
        OptionError: z is no array of real numbers.

    Example:
        >>> z, t = np.array([[1.0, -2.0], [0.5, 3.0]]), np.zeros((2, 2))
        >>> d = diagnose_loss(lambda z, t: ((z - t) ** 2).mean(), lambda z, t: z - t, z, t)
        >>> d.cause, str(d["dz"].verdict)
        ('batch_scale_wrong', 'convention')
    """
    began = time.monotonic()
    start = as_array(z)
    if start is None or not start.size:
        raise OptionError(
            "diagnose_loss",
            "z as an array of numbers",
            f"{type(z).__name__}",
            "pass the array that the loss is a function of",
        )
    limited = Limited(time_limit)
    f, g = limited.wrap("loss", loss), limited.wrap("gradient", gradient)
    source = source_of(loss, gradient)

    def work() -> Diagnosis:
        return _diagnosed(f, g, start, target, np.random.default_rng(seed), source)

    try:
        found = limited.run(work)
    except CheckError as error:
        finding = Finding(output="dz", verdict=Judgement.ERROR, says=f"the code did not come back: {error}")
        found = Diagnosis(subject="loss", findings=(finding,))
    return Diagnosis(
        subject="loss",
        findings=found.findings,
        notes=found.notes,
        calls=found.calls,
        seconds=time.monotonic() - began,
    )


def _diagnosed(loss: Any, gradient: Any, z: Array, target: Any, rng: np.random.Generator, source: str) -> Diagnosis:
    calls = [0]

    def value_of(array: Array, t: Any) -> float:
        calls[0] += 1
        raw, error, _, _ = guarded(lambda: loss(array.copy(), _copied(t)))
        number = as_array(raw)
        return (
            float("nan") if error is not None or number is None or number.size != 1 else float(number.reshape(()))
        )

    subject = loss_subject(value_of)
    probes = [p for p in points(subject, z, target, rng) if np.isfinite(value_of(p["z"], p.options["target"]))]
    if not probes:
        return Diagnosis(subject="loss", findings=(_not_finite(loss, z, target),), calls=calls[0])
    outcomes = [Outcome(p, _called(gradient, p)) for p in probes]
    finding = judge(subject, "dz", outcomes, source)
    finding = as_convention(finding)
    notes = _notes(outcomes)
    return Diagnosis(subject="loss", findings=(finding,), notes=tuple(notes), calls=calls[0])


def loss_subject(value_of: Callable[[Array, Any], float]) -> Subject:
    """Return the subject of a loss that is known by its values."""

    def dz(p: Probe, _: Joints) -> Array:
        return differences(lambda a: value_of(a, p.options["target"]), p["z"])

    def value(p: Probe, _: Joints) -> Array:
        return np.asarray(value_of(p["z"], p.options["target"]))

    def sizes(p: Probe) -> dict[str, float]:
        shape = p["z"].shape
        found: dict[str, float] = {"N": shape[0] if shape else 1}
        if len(shape) > 1:
            found["classes"] = shape[1]
        return found

    return Subject(
        "loss",
        ("z",),
        {"dz": dz},
        value,
        lambda *_: [],
        loss_mistakes(),
        sizes,
        factor_labels={"2": "batch_scale_wrong", "1/2": "batch_scale_wrong"},
    )


def points(subject: Subject, z: Array, target: Any, rng: np.random.Generator) -> list[Probe]:
    """Return the point that was given, others near it, and fewer samples: what tells N from a number."""
    within = bool((z > 0).all() and (z < 1).all())
    rows = within and z.ndim == 2 and bool(np.allclose(z.sum(1), 1))

    def moved(a: Array) -> Array:
        if within:
            near = np.clip(a * (1 + 0.1 * rng.uniform(-1, 1, a.shape)), 1e-3, 1 - 1e-3)
            return near / near.sum(1, keepdims=True) if rows else near
        return a + 0.2 * np.abs(a).mean() * rng.normal(size=a.shape)

    made = [("the point that was given", z, target), ("near it", moved(z), target)]
    t = np.asarray(target) if not isinstance(target, Mapping) else None
    if z.ndim and t is not None and t.ndim and len(t) == len(z) and len(z) > 1:
        for count in sorted({max(1, len(z) - 1), max(1, len(z) // 2), 1}, reverse=True):
            made.append((f"{count} of its samples", moved(z[:count]), t[:count]))
    probes = []
    for name, a, b in made:
        tags = frozenset({"more than one sample"} if a.ndim and len(a) > 1 else ())
        probes.append(Probe(name, {"z": a}, np.ones(()), subject, {"target": b}, tags))
    return probes


def _copied(t: Any) -> Any:
    return t.copy() if isinstance(t, np.ndarray) else t


def _called(gradient: Any, p: Probe) -> Result:
    z, t = p["z"].copy(), _copied(p.options["target"])
    raw, error, refused, printed = guarded(lambda: gradient(z, t))
    if isinstance(raw, tuple):  # (loss, gradient), as one function often gives
        arrays = [a for a in raw if np.shape(a) == p["z"].shape]
        raw = arrays[-1] if arrays else raw[-1]
    result = Result(error=error, refused=refused, printed=printed)
    if error is None:
        result.outputs = {"dz": as_array(raw)}
    result.written = () if np.array_equal(z, p["z"]) else ("z",)
    return result


def as_convention(finding: Finding) -> Finding:
    """Return the finding about a lone positive factor as what it is: another mean, sum or ½ than the loss has."""
    name = finding.evidence.get("factor_name")
    if name is None or str(name).startswith("-") or finding.cause != "batch_scale_wrong":
        return finding
    says = (
        f"your {finding.output} is {name} times the gradient of your loss: right up to what people choose (mean or "
        "sum, with or "
        f"without ½), but the two have to choose alike; the learning rate means {name} times what it says"
    )
    return Finding(
        output=finding.output, verdict=Judgement.CONVENTION, cause=finding.cause, also=finding.also, says=says,
        evidence=finding.evidence,
        where=finding.where, fix=finding.fix, lesson=finding.lesson,
    )  # fmt: skip


def _not_finite(loss: Any, z: Array, target: Any) -> Finding:
    """Return the finding about a loss that is no finite number."""
    _, error, _, _ = guarded(lambda: loss(z.copy(), _copied(target)))
    if error is not None:
        return Finding(output="dz", verdict=Judgement.ERROR, says=f"the loss fails: {error}")
    label = "softmax_overflow" if np.abs(z).max() > 500 else "log_of_zero"
    also = ("log_of_zero",) if label == "softmax_overflow" else ("softmax_overflow",)
    return Finding(
        output="y", verdict=Judgement.WRONG, cause=label, also=also,
        says="your loss is not finite at the point that was given",
        lesson=LESSONS[label], fix="z = z - z.max(axis=1, keepdims=True); logp = z - np.log(np.exp(z).sum(axis=1, "
        "keepdims=True))",
    )  # fmt: skip


def _notes(outcomes: list[Outcome]) -> list[str]:
    said = []
    if any(o.result.written for o in outcomes):
        said.append("the gradient writes to z, which belongs to whoever calls it: work on a copy")
    if any(o.result.printed for o in outcomes):
        said.append("it prints")
    return said
