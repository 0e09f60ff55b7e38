"""How a verification is shown: in a terminal, as plain text and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from io import StringIO
from typing import NamedTuple

from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from whygrad.explanation.terms.rule import MINUS
from whygrad.explanation.verification.report import Attempt, Cell, Row, Verification
from whygrad.explanation.verification.verdicts import Verdict

#: Wrong cells that are written out in full for one quantity.
_MOST_CELLS = 12

_MARKS = {
    Verdict.RIGHT: ("✓", "green", "#1a7f37"),
    Verdict.FROM_PRINTED: ("✓", "green", "#1a7f37"),
    Verdict.TRUNCATED: ("~", "yellow", "#8a6100"),
    Verdict.FOLLOWS: ("↳", "yellow", "#8a6100"),
    Verdict.WRONG: ("✗", "red", "#cf222e"),
    Verdict.UNDECIDED: ("?", "yellow", "#8a6100"),
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
    counts = ", ".join(f"{n} {verdict}" for verdict, n in row.counts.items())
    yield Line(f"{_MARKS[worst][0]} {row.name}: {counts}", 2, worst)
    if row.mistake:
        yield Line(f"All of it is explained by one mistake: {row.mistake}.", 6)
    if row.after:
        said = "follows correctly from" if row.counts.get(Verdict.FOLLOWS) else "does not follow from"
        yield Line(f"It {said} your wrong {row.after[0]} above.", 6)
    telling = [c for c in row.cells if c.verdict not in (Verdict.RIGHT, Verdict.FROM_PRINTED) or c.note]
    for cell in telling[:_MOST_CELLS]:
        yield from _cell(cell)
    if len(telling) > _MOST_CELLS:
        yield Line(f"and {len(telling) - _MOST_CELLS} more cells", 6)


def _cell(cell: Cell) -> Iterator[Line]:
    at = f"[{','.join(map(str, cell.index))}] " if cell.index else ""
    claimed = cell.claimed.replace("-", MINUS)
    said = f"{at}{claimed}: {cell.verdict}"
    if cell.verdict is Verdict.FOLLOWS:
        said += f" ({_number(cell.own)}); right is {_number(cell.right)}"
    elif cell.verdict is Verdict.WRONG:
        said += f"; right is {_number(cell.right)}"
        if cell.own is not None and cell.right is not None and abs(cell.own - cell.right) > 1e-12:
            said += f" (from your numbers above it would be {_number(cell.own)})"
    if cell.note:
        said = f"{at}{claimed}: {cell.note}"
    yield Line(said, 6, cell.verdict)
    for mistake in cell.mistakes:
        yield Line(f"Known mistake: {mistake}.", 10)
    if cell.working is not None and cell.verdict is Verdict.WRONG:
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
        yield Line(f"The first wrong step is the {row.name}{at}: {_number(cell.right)}, not {cell.claimed}.", 0,
                   Verdict.WRONG, True)  # fmt: skip
        if counts.get(Verdict.FOLLOWS):
            n = counts[Verdict.FOLLOWS]
            yield Line(f"{n} number{'s'[: n != 1]} below {'follow' if n != 1 else 'follows'} correctly from wrong ones.")
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


def renderable(found: Verification) -> Group:
    """Return what Rich prints."""
    parts = []
    for line in lines(found):
        colour = _MARKS[line.verdict][1] if line.verdict else ""
        style = " ".join(word for word in ("bold" if line.bold else "", colour) if word)
        parts.append(Padding(Text(line.text, style=style), (0, 0, 0, line.indent)))
    return Group(*parts)


def text(found: Verification, width: int = 100) -> str:
    """Return a verification as plain text of so many columns."""
    file = StringIO()
    console = Console(file=file, width=width, color_system=None, force_jupyter=False, force_terminal=False)
    console.print(renderable(found))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


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
