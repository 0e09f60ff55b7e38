"""What was found of a person's numbers, with the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from whygrad.explanation.terms.rule import Index
from whygrad.explanation.verification.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class Working:
    """How a number comes about."""

    formula: str  #: of any entry
    indexed: str  #: of this one: "dy[0,0]·x[0,0] + ..."
    numbers: str  #: "(−2)·1 + 0·(−1) = −2"
    names: dict[str, str]  #: what the letters stand for here


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One claimed number."""

    index: Index  #: with the axes with which it was written
    claimed: str
    verdict: Verdict
    right: float | None  #: None if it cannot be told
    own: float | None  #: what follows from the person's numbers above
    working: Working | None = None  #: of a wrong one
    mistakes: tuple[str, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the cell as plain values."""
        working = None if self.working is None else dict(vars(self.working))
        return {
            **vars(self), "index": list(self.index), "verdict": self.verdict.name.lower(), "working": working,
            "mistakes": list(self.mistakes),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """The claimed numbers of one quantity."""

    name: str  #: "gradient of conv1.weight"
    key: str  #: "gradient.conv1.weight", as in the file
    cells: tuple[Cell, ...]
    mistake: str = ""  #: which explains all that is wrong in it
    after: tuple[str, ...] = ()  #: the wrong quantities above that it follows from

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many cells have each verdict."""
        found = Counter(cell.verdict for cell in self.cells)
        return {verdict: found[verdict] for verdict in Verdict if found[verdict]}

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {
            "name": self.name, "key": self.key, "mistake": self.mistake, "after": list(self.after),
            "counts": {verdict.name.lower(): n for verdict, n in self.counts.items()},
            "cells": [cell.to_dict() for cell in self.cells],
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One calculation, each row after those that it is computed from."""

    title: str
    rows: tuple[Row, ...]

    @property
    def first_wrong(self) -> tuple[Row, Cell] | None:
        """The first wrong step; None if there is none."""
        return next(((row, c) for row in self.rows for c in row.cells if c.verdict is Verdict.WRONG), None)

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many cells have each verdict."""
        return {v: n for v in Verdict if (n := sum(row.counts.get(v, 0) for row in self.rows))}

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, key: str) -> Row:
        """Return the row of a quantity: ``"gradient.conv1.weight"``."""
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What ``verify`` found. It prints as text, also in a notebook; ``right`` says whether all is right."""

    subject: str
    convention: str
    attempts: tuple[Attempt, ...]

    @property
    def right(self) -> bool:
        """Whether every number is right to its digits, rounded or cut off."""
        return all(verdict.good for attempt in self.attempts for verdict in attempt.counts)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self.attempts)

    def __getitem__(self, key: str) -> Row:
        """Return the first attempt's row of a quantity."""
        return self.attempts[0][key]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        return {
            "subject": self.subject,
            "convention": self.convention,
            "right": self.right,
            "attempts": [
                {
                    "title": attempt.title,
                    "counts": {verdict.name.lower(): n for verdict, n in attempt.counts.items()},
                    "first_wrong": _first(attempt),
                    "rows": [row.to_dict() for row in attempt],
                }
                for attempt in self.attempts
            ],
        }

    def __rich__(self) -> Any:
        from whygrad.explanation.verification.rendering import renderable  # noqa: PLC0415  (Rich is not always needed)

        return renderable(self)

    def __str__(self) -> str:
        from whygrad.explanation.verification.rendering import text  # noqa: PLC0415

        return text(self)

    def _repr_html_(self) -> str:
        from whygrad.explanation.verification.rendering import html  # noqa: PLC0415

        return html(self)


def _first(attempt: Attempt) -> dict[str, Any] | None:
    if attempt.first_wrong is None:
        return None
    row, cell = attempt.first_wrong
    return {"key": row.key, "index": list(cell.index)}


def finite(number: float) -> float | None:
    """Return a number, None for one that is not known."""
    return number if isfinite(number) else None
