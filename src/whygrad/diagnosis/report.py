"""What a diagnosis says: a verdict for each gradient, its cause, the evidence, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Judgement(StrEnum):
    """What is known of one gradient."""

    RIGHT = "right"
    CONVENTION = "convention"  #: right up to what people choose, such as a mean for a sum
    WRONG = "wrong"
    MISSING = "missing"  #: None, or not returned
    SHAPE = "shape"  #: of another shape than its input
    ERROR = "error"  #: the code fails

    @property
    def good(self) -> bool:
        """Whether nothing has to be mended."""
        return self in (Judgement.RIGHT, Judgement.CONVENTION)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is said of one gradient, or of the value ("y")."""

    output: str  #: "dw"
    verdict: Judgement
    cause: str | None = None  #: the label; None where it is right, or the cause is not known
    also: tuple[str, ...] = ()  #: further labels that name the same, and those of a second mistake
    says: str = ""  #: one sentence: what was done
    evidence: Mapping[str, Any] = field(
        default_factory=dict
    )  #: how exactly it fits, and how the nearest rival does
    where: str = ""  #: at which sizes it is right and wrong
    fix: str = ""  #: the line that would be right, with shapes
    lesson: str = ""  #: why
    notes: tuple[str, ...] = ()  #: further sentences
    experiment: str = ""  #: what was run to show it, and how that came out

    @property
    def fine(self) -> bool:
        """Whether it is right, or differs in a way that needs no name."""
        return self.verdict.good and self.cause is None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain values that JSON can hold."""
        return {
            "output": self.output,
            "verdict": str(self.verdict),
            "cause": self.cause,
            "also": list(self.also),
            "says": self.says,
            "evidence": dict(self.evidence),
            "where": self.where,
            "fix": self.fix,
            "lesson": self.lesson,
            "notes": list(self.notes),
            "experiment": self.experiment,
        }


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What a diagnosis found. It prints as text, also in a notebook."""

    subject: str  #: "conv2d", "my_layer.py"
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()  #: on the code as a whole: it writes to its inputs, which layout it uses
    calls: int = 0  #: how often the person's function was called
    seconds: float = 0.0

    @property
    def healthy(self) -> bool:
        """Whether everything that was looked at is right."""
        return bool(self.findings) and all(finding.fine for finding in self.findings)

    @property
    def cause(self) -> str | None:
        """The best label: "no_bug" when healthy, None where something is wrong and the cause is not known."""
        if self.healthy:
            return "no_bug"
        counts: dict[str, float] = {}
        for i, finding in enumerate(self.findings):
            if finding.cause is None:
                continue
            counts[finding.cause] = counts.get(finding.cause, 0) + 1 + 0.1 / (i + 1)
            for label in finding.also:
                counts[label] = counts.get(label, 0) + 0.4
        named = [f.cause for f in self.findings if f.cause is not None]
        return max(named, key=lambda label: counts[label], default=None)

    @property
    def also(self) -> tuple[str, ...]:
        """Further labels of what is wrong."""
        labels = [label for f in self.findings if not f.fine for label in (f.cause, *f.also) if label]
        return tuple(dict.fromkeys(label for label in labels if label != self.cause))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __getitem__(self, output: str) -> Finding:
        """Return the finding about an output."""
        for finding in self.findings:
            if finding.output == output:
                return finding
        raise KeyError(output)

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain values that JSON can hold."""
        return {
            "subject": self.subject,
            "healthy": self.healthy,
            "cause": self.cause,
            "also": list(self.also),
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
            "calls": self.calls,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Diagnosis:
        """Return the diagnosis that ``to_dict`` wrote down, for example in another process."""
        findings = []
        for item in content["findings"]:
            values = {**item, "verdict": Judgement(item["verdict"])}
            values |= {"also": tuple(item["also"]), "notes": tuple(item["notes"])}
            findings.append(Finding(**values))
        return cls(
            subject=content["subject"],
            findings=tuple(findings),
            notes=tuple(content["notes"]),
            calls=content["calls"],
            seconds=content["seconds"],
        )

    def __rich__(self) -> Any:
        from whygrad.diagnosis.rendering import renderable  # noqa: PLC0415  (Rich is loaded when something is shown)

        return renderable(self)

    def __str__(self) -> str:
        from whygrad.diagnosis.rendering import text  # noqa: PLC0415

        return text(self)

    def _repr_html_(self) -> str:
        from whygrad.diagnosis.rendering import html  # noqa: PLC0415

        return html(self)
