"""How a verification is shown: in a terminal, as plain text and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from textwrap import wrap
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from whygrad.explanation.terms.rule import MINUS
from whygrad.explanation.verification.report import Attempt, Cell, Row, Verification
from whygrad.explanation.verification.verdicts import Verdict
from whygrad.folding import BAD, DOUBTFUL, GOOD, plain

#: Where lines are folded, however wide the terminal is.
_READABLE = 110
#: Cells that are listed for one quantity, and wrong ones whose numbers are written out.
_MOST_CELLS, _MOST_WORKED, _MOST_ALIKE = 12, 3, 3

_MARKS = {
    Verdict.RIGHT: ("✓", *GOOD),
    Verdict.FROM_PRINTED: ("✓", *GOOD),
    Verdict.TRUNCATED: ("~", *DOUBTFUL),
    Verdict.FOLLOWS: ("↳", *DOUBTFUL),
    Verdict.WRONG: ("✗", *BAD),
    Verdict.UNDECIDED: ("?", *DOUBTFUL),
}


class Line(NamedTuple):
    """A line of the report."""

    text: str
    indent: int = 0
    verdict: Verdict | None = None  #: whose colour it has
    bold: bool = False


def lines(found: Verification) -> Iterator[Line]:
    """Yield the report line by line."""
    yield Line(found.subject, bold=True)
    if found.convention == "hertz":
        yield Line("δ and gradients are those of Hertz, Krogh and Palmer: −∂E/∂z, added in the update.")
    for attempt in found.attempts:
        yield Line("")
        if attempt.title:
            yield Line(attempt.title, bold=True)
        for row in attempt:
            yield from _row(row)
        yield from _conclusion(attempt)


def _row(row: Row) -> Iterator[Line]:
    worst = max(row.counts, key=list(Verdict).index)
    counts = ", ".join(_count(n, verdict) for verdict, n in row.counts.items())
    yield Line(f"{_MARKS[worst][0]} {row.name}: {counts}", 2, worst)
    if row.mistake:
        yield Line(f"All of it is explained by one mistake: {row.mistake}.", 6)
    if row.after:
        said = "follows correctly from" if row.counts.get(Verdict.FOLLOWS) else "does not follow from"
        yield Line(f"It {said} your wrong {row.after[0]} above.", 6)
    telling = [c for c in row.cells if c.verdict not in (Verdict.RIGHT, Verdict.FROM_PRINTED) or c.note]
    worked = [c for c in telling if c.verdict is Verdict.WRONG][: 1 if row.mistake else _MOST_WORKED]
    alike = row.mistake or Verdict.WRONG not in row.counts  # one reason for all
    most = _MOST_ALIKE if alike and Verdict.TRUNCATED not in row.counts else _MOST_CELLS
    for cell in telling[:most]:
        yield from _cell(cell, full=any(cell is one for one in worked))
    if len(telling) > most:
        yield Line(f"and {len(telling) - most} more", 6)


def _count(n: int, verdict: Verdict) -> str:
    said = str(verdict)
    return f"{n} {said.replace('follows', 'follow', 1) if n > 1 else said}"


def _cell(cell: Cell, *, full: bool) -> Iterator[Line]:
    at = f"[{','.join(map(str, cell.index))}] " if cell.index else ""
    claimed = cell.claimed.replace("-", MINUS)
    said = f"{at}{claimed}: {cell.verdict}"
    if cell.verdict is Verdict.FOLLOWS:
        said += f"; right is {_number(cell.right)}"
    elif cell.verdict is Verdict.WRONG:
        said += f"; right is {_number(cell.right)}"
        if cell.own is not None and cell.right is not None and abs(cell.own - cell.right) > 1e-12:
            said += f" (from your numbers above it would be {_number(cell.own)})"
    if cell.note:
        said = f"{at}{claimed}: {cell.note}"
    yield Line(said, 6, cell.verdict)
    for mistake in cell.mistakes:
        yield Line(f"Known mistake: {mistake}.", 10)
    if cell.working is not None and full:
        names = ", ".join(f"{letter} {name}" for letter, name in cell.working.names.items())
        yield Line(cell.working.formula + (f"   ({names})" if names else ""), 10)
        yield Line(f"= {cell.working.indexed}", 10)
        yield Line(f"= {cell.working.numbers}", 10)


def _conclusion(attempt: Attempt) -> Iterator[Line]:
    yield Line("")
    first, counts = attempt.first_wrong, attempt.counts
    total = sum(counts.values())
    if first is not None:
        row, cell = first
        at = f"[{','.join(map(str, cell.index))}]" if cell.index else ""
        claimed = cell.claimed.replace("-", MINUS)
        said = f"The first wrong step is the {row.name}{at}: {_number(cell.right)}, not {claimed}."
        yield Line(said, 0, Verdict.WRONG, bold=True)
        if counts.get(Verdict.FOLLOWS):
            n = counts[Verdict.FOLLOWS]
            yield Line(
                f"{n} number{'s'[: n != 1]} below {'follow' if n != 1 else 'follows'} correctly from wrong ones."
            )
        return
    if counts.get(Verdict.UNDECIDED):
        yield Line(f"{counts[Verdict.UNDECIDED]} of {total} numbers could not be verified: too little is given.", 0,
                   Verdict.UNDECIDED, True)  # fmt: skip
        return
    cut = counts.get(Verdict.TRUNCATED, 0)
    tail = f"; {cut} {'was' if cut == 1 else 'were'} truncated instead of rounded" if cut else ""
    right = "The number is right" if total == 1 else f"All {total} numbers are right"
    yield Line(f"{right} to the digits printed{tail}.", 0, Verdict.RIGHT, True)


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value + 0.0:.8g}".replace("-", MINUS)


def renderable(found: Verification) -> Shown:
    """Return what Rich prints, laid out for the width at which it is printed."""
    return Shown(found)


class Shown:
    """A verification that lays itself out when it knows its width."""

    def __init__(self, found: Verification) -> None:
        self.found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        for line in lines(self.found):
            colour = _MARKS[line.verdict][1] if line.verdict else ""
            style = " ".join(word for word in ("bold" if line.bold else "", colour) if word)
            width = max(20, min(options.max_width, _READABLE))
            before, after = " " * line.indent, " " * (line.indent + 2)
            for one in wrap(line.text, width, initial_indent=before, subsequent_indent=after,
                            break_long_words=False, break_on_hyphens=False) or [""]:  # fmt: skip
                yield Text(one, style=style)


def text(found: Verification, width: int = 100) -> str:
    """Return a verification as plain text of so many columns."""
    return plain(renderable(found), width)


def html(found: Verification) -> str:
    """Return a verification as HTML that needs nothing else, for light and dark pages."""
    shown = []
    for line in lines(found):
        style = f"margin-left:{line.indent / 2:g}em;"
        if line.bold:
            style += "font-weight:600;"
        mark = ""
        if line.verdict:
            mark = f"border-left:4px solid {_MARKS[line.verdict][2]};padding-left:8px;"
        shown.append(f'<div style="{style}{mark}min-height:.6em">{escape(line.text)}</div>')
    return f'<div style="font-size:13px;line-height:1.5;text-align:left">{"".join(shown)}</div>'
