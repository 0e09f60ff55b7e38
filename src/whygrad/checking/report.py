"""What a check says: a verdict for each input with its evidence, and all of it together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What is known of a gradient after checking it."""

    RIGHT = "right"
    KINK = "kink"  #: right as well: at a kink, where every number between the one-sided slopes is right
    UNDECIDED = "undecided"  #: the differences are too noisy to tell
    WRONG = "wrong"
    NOT_FINITE = "not finite"
    FAULTY = "check at fault"  #: nothing is known of the gradient, since the check itself cannot work

    @property
    def good(self) -> bool:
        """Whether the gradient is known to be right."""
        return self in (Verdict.RIGHT, Verdict.KINK)


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient beside its finite difference."""

    index: tuple[int, ...]
    analytic: float  #: what is claimed
    numeric: float  #: what finite differences give
    bound: float  #: how far the finite difference may be from the truth


@dataclass(frozen=True)
class Kink:
    """An entry at which the slopes to the left and to the right differ."""

    index: tuple[int, ...]
    analytic: float  #: what is claimed
    left: float  #: slope towards smaller values
    right: float  #: slope towards larger values
    switches: int | None  #: how many activations or arg-maxima change between x − h and x + h, where it is known
    valid: bool  #: whether the claim is a subgradient


@dataclass(frozen=True, kw_only=True)
class Row:
    """The verdict on the gradient of one input or parameter."""

    name: str
    verdict: Verdict
    shape: tuple[int, ...]
    checked: int  #: entries compared, alone or as part of a projection
    entries: int  #: entries that there are
    relative_error: float = 0.0  #: largest difference, relative to the gradient's largest entry
    bound: float = 0.0  #: how far the gradient may be from the truth after this check, relative as well
    worst: Entry | None = None  #: where the largest difference is
    wrong: tuple[Entry, ...] = ()  #: the wrong entries with the largest differences
    kinks: tuple[Kink, ...] = ()
    method: str = ""  #: "central differences, h = 2e-3, Richardson" or the like
    findings: tuple[str, ...] = ()  #: sentences: where it is wrong, what explains it, what would decide it

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values that JSON can hold."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "shape": list(self.shape),
            "checked": self.checked,
            "entries": self.entries,
            "relative_error": self.relative_error,
            "bound": self.bound,
            "worst": None if self.worst is None else _plain(self.worst),
            "wrong": [_plain(entry) for entry in self.wrong],
            "kinks": [_plain(kink) for kink in self.kinks],
            "method": self.method,
            "findings": list(self.findings),
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check found. It prints as a table, also in a notebook; ``report.right`` says whether all is well."""

    subject: str  #: what was checked: "conv2d", "lenet5", "my_layer.py"
    rows: tuple[Row, ...]
    findings: tuple[str, ...] = ()  #: sentences on the check as a whole
    evaluations: int = 0  #: how often the function was called
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)  #: what else was chosen: engine, seed, dtype

    @property
    def verdict(self) -> Verdict:
        """The worst of the rows' verdicts."""
        order = list(Verdict)
        return max((row.verdict for row in self.rows), key=order.index, default=Verdict.RIGHT)

    @property
    def right(self) -> bool:
        """Whether there are gradients and every one is known to be right."""
        return bool(self.rows) and all(row.verdict.good for row in self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Row:
        """Return the row of an input or parameter."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values that JSON can hold."""
        return {
            "subject": self.subject,
            "verdict": str(self.verdict),
            "right": self.right,
            "rows": [row.to_dict() for row in self.rows],
            "findings": list(self.findings),
            "evaluations": self.evaluations,
            "seconds": self.seconds,
            **self.details,
        }

    def __rich__(self) -> Any:
        from whygrad.checking.rendering import renderable  # noqa: PLC0415  (Rich is loaded when something is shown)

        return renderable(self)

    def __str__(self) -> str:
        from whygrad.checking.rendering import text  # noqa: PLC0415

        return text(self)

    def _repr_html_(self) -> str:
        from whygrad.checking.rendering import html  # noqa: PLC0415

        return html(self)


def _plain(entry: Entry | Kink) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(entry).items()}
