"""Is my calculation correct?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from whygrad.explanation.terms.rule import MINUS, Factor, Term, total
from whygrad.explanation.verification.mistakes import explained
from whygrad.explanation.verification.problem import Problem, Quantity
from whygrad.explanation.verification.reading import read
from whygrad.explanation.verification.report import Attempt, Cell, Row, Verification, Working, finite
from whygrad.explanation.verification.verdicts import Judge, Judged, Verdict

#: Terms that are written out; of more, the largest, and the rest summed.
_MOST_TERMS = 9


def verify(source: str | Path | Mapping[str, Any]) -> Verification:
    """Judge the numbers of a worked example, cell by cell.

    Args:
        source: a TOML file, or the same as a dict. The format is described in ``docs/verify.md``.

    Returns:
        What was found; ``print`` it, or ask it for ``right``, ``to_dict()`` or the rows of a quantity.

    Raises:
        WhygradError: the file is missing, damaged or contradicts itself; the error names line and key.

    Example:
        >>> network = {"input": [2.0, 1.0], "layers": [{"op": "linear", "name": "fc", "weight": [[0.5, -1.0]]}]}
        >>> found = verify({**network, "claims": {"value": {"fc": "0.1"}}})
        >>> cell = found["value.fc"].cells[0]
        >>> str(cell.verdict), cell.right, cell.working.numbers
        ('wrong', 0.0, '0.5·2 + (−1)·1 = 0')
    """
    problem = read(source)
    attempts = []
    for claims in problem.claims:
        judge = Judge(problem, claims)
        rows = tuple(_row(problem, judge, quantity) for quantity in judge.judged)
        attempts.append(Attempt(title=claims.title, rows=rows))
    return Verification(subject=problem.subject, convention=problem.convention, attempts=tuple(attempts))


def _row(problem: Problem, judge: Judge, quantity: Quantity) -> Row:
    mistake, by_cell = explained(judge, quantity)
    rank = judge.claims.ranks[quantity]
    judged = judge.judged[quantity]
    cells = tuple(_cell(problem, judge, quantity, one, rank, tuple(by_cell.get(one.index, ()))) for one in judged)
    follows = any(one.verdict is Verdict.FOLLOWS or one.departs for one in judged)
    after = tuple(str(one) for one in judge.wrong_before(quantity)) if follows else ()
    return Row(name=str(quantity), key=quantity.key, cells=cells, mistake=mistake, after=after)


def _cell(
    problem: Problem, judge: Judge, quantity: Quantity, one: Judged, rank: int, mistakes: tuple[str, ...]
) -> Cell:
    working = None
    if one.verdict in (Verdict.WRONG, Verdict.TRUNCATED):
        working = _working(problem, judge, quantity, one)
    notes = {
        Verdict.UNDECIDED: "what is given does not say what it should be",
        Verdict.TRUNCATED: f"cut off after its last digit; rounded it is {_rounded(one)}",
    }
    note = notes.get(one.verdict, "")
    if one.departs:
        note = f"right, although {_shown(one.own)} would follow from the wrong numbers above"
    return Cell(
        index=one.index[len(one.index) - rank :], claimed=one.printed.text, verdict=one.verdict,
        right=finite(one.right), own=finite(one.own), working=working, mistakes=mistakes, note=note,
    )  # fmt: skip


def _working(problem: Problem, judge: Judge, quantity: Quantity, one: Judged) -> Working | None:
    world = judge.own if isnan(one.exact) else judge.exact
    if quantity in problem.given and world.worked_out(quantity)[one.index] != world.computed(quantity)[one.index]:
        return None
    rules, terms, entries = world.explained(quantity, one.index)
    if not rules:
        return None
    formula = "; ".join(rule.formula for rule, _ in rules)
    names = {letter: name for _, found in rules for letter, name in found.items()}
    said = formula + " ".join(factor.text for term in terms for factor in term.factors)
    names = {letter: name for letter, name in names.items() if re.search(rf"(?<!\w){re.escape(letter)}\b", said)}
    chosen, rest = _chosen(terms)
    indexed = " + ".join("·".join(f.text for f in term.factors) for term in chosen)
    numbers = " + ".join("·".join(_number(factor, entries) for factor in term.factors) for term in chosen) or "0"
    if rest:
        others = total(rest)
        nothing = f" (and {len(rest)} more that are 0)" if not any(term.value for term in rest) else ""
        more = nothing or f" + {_shown(others)} (the sum of {len(rest)} more)"
        indexed, numbers = indexed + " + …" * bool(chosen), numbers + more
    return Working(formula=formula, indexed=indexed, numbers=f"{numbers} = {_shown(one.right)}", names=names)


def _chosen(terms: list[Term]) -> tuple[list[Term], list[Term]]:
    """Return the terms to write out, in their order, and the rest."""
    if len(terms) <= _MOST_TERMS:
        return terms, []
    largest = sorted(range(len(terms)), key=lambda i: -abs(terms[i].value))[:_MOST_TERMS]
    largest = [i for i in largest if terms[i].value]
    return [terms[i] for i in sorted(largest)], [term for i, term in enumerate(terms) if i not in largest]


def _number(factor: Factor, entries: Mapping[str, float]) -> str:
    """Return a factor in numbers: "(−2)", or "(3 − 1)" where it is computed from entries."""
    if factor.text not in entries and any(entry in factor.text for entry in entries):
        return re.sub(
            r"\w+\[[\d,]*\]", lambda m: _bracketed(entries[m[0]]) if m[0] in entries else m[0], factor.text
        )
    return _bracketed(factor.value)


def _bracketed(number: float) -> str:
    text = _shown(number)
    return f"({text})" if text.startswith(MINUS) else text


def _shown(number: float) -> str:
    """Return a number with as many digits as a person reads."""
    return f"{number + 0.0:.7g}".replace("-", MINUS) if not isnan(number) else "?"


def _rounded(one: Judged) -> str:
    unit = f"{one.printed.unit:.17f}".rstrip("0").rstrip(".")
    places = len(unit.partition(".")[2])
    return f"{one.right:.{places}f}".replace("-", MINUS)
