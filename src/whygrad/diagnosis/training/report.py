"""What the diagnosis of a training says: causes with evidence, and the experiments that show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.report import Diagnosis, Finding, Judgement


@dataclass(frozen=True)
class Trial:
    """A training of a few steps that was run."""

    what: str  #: what it was run with: "learning rate 0.004", "as given"
    losses: tuple[float, ...]  #: before each step, and after the last one
    params: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)  #: the last finite ones

    @property
    def finite(self) -> bool:
        """Whether no loss was NaN or infinite."""
        return bool(np.isfinite(self.losses).all())

    @property
    def first(self) -> float:
        """The loss before the first step."""
        return self.losses[0]

    @property
    def last(self) -> float:
        """What the loss came to: the median of the last few."""
        return float(np.median(self.losses[-5:])) if self.finite else float("nan")

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return len(self.losses) - 1

    def __str__(self) -> str:
        """Return the outcome in words.

        Example:
            >>> print(Trial("as given", (2.0, float("nan"))), Trial("as given", (2.0, 1.5, 1.0)), sep="; ")
            as given: NaN at step 1 (loss 2 before the first); as given: loss 2 → 1 in 2 steps
        """
        if not self.finite:
            step = int(np.argmin(np.isfinite(self.losses)))
            name = "NaN" if np.isnan(self.losses[step]) else "an infinite loss"
            at = f"at step {step}" if step else "before the first step"
            return f"{self.what}: {name} {at}" + (f" (loss {self.first:.3g} before the first)" if step else "")
        return f"{self.what}: loss {self.first:.3g} → {self.losses[-1]:.3g} in {self.steps} steps"


class Evidence(NamedTuple):
    """What one module found."""

    area: str  #: "data", "gradient"
    findings: tuple[Finding, ...] = ()  #: what is wrong, strongest first
    says: str = ""  #: what was seen, where nothing is wrong
    untested: tuple[str, ...] = ()  #: what could not be tested, and why

    @property
    def cause(self) -> str | None:
        """The label of the strongest finding."""
        return next((f.cause for f in self.findings if f.cause), None)


def fault(
    output: str,
    cause: str | None,
    says: str,
    *,
    fix: str = "",
    also: tuple[str, ...] | str = (),
    lesson: str = "",
    experiment: str = "",
    notes: tuple[str, ...] = (),
    verdict: Judgement = Judgement.WRONG,
    **evidence: Any,
) -> Finding:
    """Return a finding about what is wrong.

    Example:
        >>> fault("data", "one_class_only", "all 8 labels are 3").cause
        'one_class_only'
    """
    labels = tuple(also.split()) if isinstance(also, str) else also
    return Finding(
        output=output,
        verdict=verdict,
        cause=cause,
        also=labels,
        says=says,
        fix=fix,
        lesson=lesson,
        notes=notes,
        experiment=experiment,
        evidence=evidence,
    )


def shown_by(finding: Finding, *trials: Trial) -> Finding:
    """Return the finding with the trainings that show it."""
    told = "; ".join(str(t) for t in trials)
    return replace(finding, experiment=f"{finding.experiment}; {told}" if finding.experiment else told)


@dataclass(frozen=True, kw_only=True)
class TrainingDiagnosis(Diagnosis):
    """What is wrong with a training, or that nothing is. It prints as text, also in a notebook.

    Example:
        >>> finding = fault("data", "one_class_only", "all 8 labels are 3")
        >>> told = TrainingDiagnosis(subject="training", findings=(finding,))
        >>> told.healthy, told.cause
        (False, 'one_class_only')
    """

    trials: tuple[Trial, ...] = ()
    untested: tuple[str, ...] = ()  #: what could not be tested, and why

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What is wrong, most likely cause first."""
        return tuple(f for f in self.findings if not f.fine)

    @property
    def cause(self) -> str | None:
        """The first cause: "no_bug" when healthy, None where something is wrong and the cause is not known."""
        if self.healthy:
            return "no_bug"
        return next((f.cause for f in self.faults if f.cause is not None), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain values that JSON can hold; the parameters of trials are left out."""
        trials = [{"what": t.what, "losses": [_plain(v) for v in t.losses]} for t in self.trials]
        return super().to_dict() | {"trials": trials, "untested": list(self.untested), "kind": "training"}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TrainingDiagnosis:
        """Return the diagnosis that ``to_dict`` wrote down."""
        told = Diagnosis.from_dict(content)
        trials = tuple(
            Trial(t["what"], tuple(float("nan") if v is None else float(v) for v in t["losses"]))
            for t in content["trials"]
        )
        return cls(
            subject=told.subject,
            findings=told.findings,
            notes=told.notes,
            calls=told.calls,
            seconds=told.seconds,
            trials=trials,
            untested=tuple(content["untested"]),
        )

    def __rich__(self) -> Any:
        from whygrad.diagnosis.training.rendering import renderable  # noqa: PLC0415  (Rich is loaded when shown)

        return renderable(self)

    def __str__(self) -> str:
        from whygrad.diagnosis.training.rendering import text  # noqa: PLC0415

        return text(self)

    def _repr_html_(self) -> str:
        from whygrad.diagnosis.training.rendering import html  # noqa: PLC0415

        return html(self)


def _plain(value: float) -> float | str | None:
    """Return a number as JSON can hold it."""
    if np.isnan(value):
        return None
    return float(value) if np.isfinite(value) else ("inf" if value > 0 else "-inf")
