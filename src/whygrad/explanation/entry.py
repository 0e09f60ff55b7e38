"""One number of a network explained: the products that add up to it, their sum, and two witnesses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import fsum
from typing import Any, Literal

from whygrad.checking.report import Verdict
from whygrad.explanation.terms import Term, total

Kind = Literal["activation", "delta", "parameter", "update", "loss"]
#: How far a sum in float64 may be from what the network computed, relative to the sum of its terms' sizes.
ROUNDING = 1e-12
#: Differences below this are those of numbers too small for all their digits.
TINY = 1e-300


@dataclass(frozen=True)
class Difference:
    """What moving the number a little says of its gradient."""

    value: float
    bound: float  #: how far it may be from the truth
    verdict: Verdict
    left: float  #: slope towards smaller values, where it differs from the one to the right
    right: float


@dataclass(frozen=True)
class Part:
    """What one operation contributes."""

    call: str  #: the layer's name, or "loss"
    op: str
    symbol: str  #: the entry in the operation's own names: "dw[0,0,1,1]"
    formula: str  #: of any entry
    where: str  #: what the symbols mean
    bindings: Mapping[str, str]  #: what the arrays are called in the network: {"x": "pool1", "w": "conv2.weight"}
    terms: tuple[Term, ...]
    words: str = ""

    @property
    def sum(self) -> float:
        """The sum of the terms."""
        return total(self.terms)


@dataclass(frozen=True)
class Explanation:
    """Where one number comes from.

    ``agrees`` says whether the terms add up to what the network computed, and whether finite differences bear it
    out; a number that is given, such as a pixel, has no parts.
    """

    kind: Kind
    subject: str  #: "∂E/∂conv1.weight[0,0,1,1]"
    computed: float  #: by the forward or backward pass, or by the optimiser
    parts: tuple[Part, ...]
    difference: Difference | None = None
    convention: str = "gradient"
    sentence: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms, of all parts."""
        return tuple(term for part in self.parts for term in part.terms)

    @property
    def sum(self) -> float:
        """The sum of all terms, rounded once; what is given is itself."""
        return total(self.terms) if self.parts else self.computed

    @property
    def adds_up(self) -> bool:
        """Whether the terms add up to what the network computed."""
        size = fsum(term.size for term in self.terms) or abs(self.computed)
        return abs(self.sum - self.computed) <= ROUNDING * size + TINY

    @property
    def agrees(self) -> bool:
        """Whether the terms add up, and finite differences do not contradict them."""
        borne_out = self.difference is None or self.difference.verdict is not Verdict.WRONG
        return self.adds_up and borne_out

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, terms with their factors and the entries that these are made of."""
        parts = [
            {
                **{name: getattr(part, name) for name in ("call", "op", "symbol", "formula", "where", "words")},
                "bindings": dict(part.bindings),
                "sum": part.sum,
                "terms": [_term(part, term) for term in part.terms],
            }
            for part in self.parts
        ]
        return {
            "kind": self.kind,
            "subject": self.subject,
            "convention": self.convention,
            "sentence": self.sentence,
            "sum": self.sum,
            "computed": self.computed,
            "adds_up": self.adds_up,
            "agrees": self.agrees,
            "difference": None if self.difference is None else asdict(self.difference),
            "parts": parts,
            "details": dict(self.details),
        }

    def latex(self) -> str:
        """Return the explanation as a LaTeX document that compiles as it is."""
        from whygrad.explanation.latex import document  # noqa: PLC0415  (these import this module)

        return document(self)

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Render for a terminal."""
        from whygrad.explanation.rendering import text  # noqa: PLC0415

        yield from text(self, options.max_width)

    def __str__(self) -> str:
        """Return the text as a terminal without colours shows it."""
        from whygrad.explanation.rendering import plain  # noqa: PLC0415

        return plain(self)

    def _repr_html_(self) -> str:
        from whygrad.explanation.rendering import html  # noqa: PLC0415

        return html(self)


def _term(part: Part, term: Term) -> dict[str, Any]:
    factors = [
        {
            "text": factor.text,
            "value": factor.value,
            "cells": [
                {"array": part.bindings.get(cell.array.removeprefix("d"), cell.array), "index": list(cell.index),
                 "gradient": cell.array.startswith("d")}
                for cell in factor.cells
            ],
        }
        for factor in term.factors
    ]  # fmt: skip
    return {"factors": factors, "value": term.value, "note": term.note}
