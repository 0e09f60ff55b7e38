"""How a report is shown: in a terminal, as plain text and in a notebook.

A row is a line of a table, and what is to be said of it stands below it. As the width shrinks the table gives up
its right-hand columns. This module brings Rich; a report imports it when it is shown and not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from html import escape

from rich.cells import cell_len
from rich.text import Text

from whygrad.checking.report import Report, Row, Verdict
from whygrad.checking.wording import (
    CLAIMED,
    METHOD,
    VERDICT,
    Block,
    Column,
    blocks_of,
    columns_of,
    conclusion,
    findings_of,
    notes_of,
)
from whygrad.folding import BAD, DOUBTFUL, GOOD, Folded, Line, plain
from whygrad.notebook import badge

_INDENT, _GAP = 4, "  "
_COLOURS = {
    Verdict.RIGHT: GOOD,
    Verdict.KINK: DOUBTFUL,
    Verdict.UNDECIDED: DOUBTFUL,
    Verdict.WRONG: BAD,
    Verdict.NOT_FINITE: BAD,
    Verdict.FAULTY: BAD,
}


def renderable(report: Report) -> Folded:
    """Return what Rich prints of a report, laid out for the width at which it is printed.

    Example:
        >>> row = Row(name="x", verdict=Verdict.RIGHT, shape=(2,), checked=2, entries=2, bound=3e-11)
        >>> print(plain(renderable(Report(subject="relu", rows=(row,))), 60))
        relu
        <BLANKLINE>
          gradient of  verdict  checked  largest error  known to
          x            ✓ right   2 of 2              0     3e-11
        <BLANKLINE>
        The gradient of x is right: 2 entries compared, known to
        3e-11.
    """
    return Folded(partial(_lines, report))


def text(report: Report, width: int = 80) -> str:
    """Return a report as plain text of so many columns.

    Example:
        >>> row = Row(name="x", verdict=Verdict.RIGHT, shape=(2,), checked=2, entries=2, bound=3e-11)
        >>> text(Report(subject="relu", rows=(row,))).splitlines()[-1]
        'The gradient of x is right: 2 entries compared, known to 3e-11.'
    """
    return plain(renderable(report), width)


def html(report: Report) -> str:
    """Return a report as HTML that needs nothing else, for light and dark pages.

    Example:
        >>> row = Row(name="x<y", verdict=Verdict.RIGHT, shape=(2,), checked=2, entries=2, bound=3e-11)
        >>> "x&lt;y" in html(Report(subject="relu", rows=(row,)))
        True
    """
    columns = [column for column in columns_of(report) if column is not METHOD]  # too wide beside the others
    lines = [_html_line([column.title for column in columns], columns, "th")] if report.rows else []
    shared = findings_of(report)
    for row in report.rows:
        lines.append(_html_line([_html_cell(row, column) for column in columns], columns))
        below = "".join(
            [*(_html_sentence(s) for s in row.findings if s not in shared), *map(_html_block, blocks_of(row))]
        )
        if below:
            cell = f'<td colspan="{len(columns)}" style="border:none;padding:0 10px 10px 28px;text-align:left">'
            lines.append(f'<tr style="background:none">{cell}{below}</td></tr>')
    notes = "".join(_html_sentence(note, "opacity:.7") for note in notes_of(report))
    return (
        '<div style="font-size:13px;line-height:1.5;text-align:left;font-variant-numeric:tabular-nums">'
        f"{_html_sentence(report.subject, 'font-weight:600')}{_html_table(lines, 13)}"
        f"{''.join(map(_html_sentence, shared))}"
        f"{_html_sentence(conclusion(report), 'font-weight:600')}{notes}</div>"
    )


def _lines(report: Report, width: int) -> Iterator[Line]:
    """Yield all lines, each with its indentation, which is None within tables."""
    columns, shared = _fitting(report, width), findings_of(report)
    yield Text(report.subject, "bold"), 0
    yield Text(), 0
    if report.rows:
        cells = [[column.cell(row) for column in columns] for row in report.rows]
        title, *table = _grid([c.title for c in columns], cells, [c.right for c in columns])
        yield _joined(title, "dim"), None
        for row, line in zip(report.rows, table, strict=True):
            style = "" if row.verdict.good else "bold"
            yield _joined(line, style, {columns.index(VERDICT): _COLOURS[row.verdict][0]}), None
            yield from _below(row, [s for s in row.findings if s not in shared], last=row is report.rows[-1])
        yield Text(), 0
    for finding in shared:
        yield Text(finding), 0
    yield Text(conclusion(report), f"bold {_COLOURS[report.verdict][0] if report.rows else 'yellow'}"), 0
    for note in notes_of(report, methods=METHOD not in columns):
        yield Text(note, "dim"), 0


def _below(row: Row, findings: Sequence[str], *, last: bool) -> Iterator[Line]:
    """Yield what is to be said of a row."""
    blocks = blocks_of(row)
    for finding in findings:
        yield Text(finding), _INDENT
    for block in blocks:
        title, *lines = _grid(block.titles, block.lines, [False, *[True] * (len(block.titles) - 1)])
        if findings:
            yield Text(), 0
        yield _joined(title, "dim", indent=_INDENT), None
        for line in lines:
            yield _joined(line, indent=_INDENT), None
        if block.more:
            yield Text(f"and {block.more:,} more", "dim"), _INDENT
    if (blocks or findings) and not last:
        yield Text(), 0


def _fitting(report: Report, width: int) -> list[Column]:
    """Return the first columns, as many as fit."""
    columns = columns_of(report)
    sizes = [max(cell_len(s) for s in (c.title, *map(c.cell, report.rows))) + len(_GAP) for c in columns]
    while len(columns) > 2 and sum(sizes[: len(columns)]) > width:
        columns.pop()
        if columns[-1] is CLAIMED:  # which says nothing without what was measured
            columns.pop()
    return columns


def _grid(titles: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[bool]) -> list[list[str]]:
    """Return the cells of a table, its titles first, padded to the widths of their columns."""
    table = [titles, *lines]
    widths = [max(cell_len(line[i]) for line in table) for i in range(len(titles))]

    def padded(cell: str, i: int) -> str:
        space = " " * (widths[i] - cell_len(cell))
        return space + cell if right[i] else cell + space

    return [[padded(cell, i) for i, cell in enumerate(line)] for line in table]


def _joined(cells: Sequence[str], style: str = "", styles: dict[int, str] | None = None, indent: int = 2) -> Text:
    """Return a line of a table; ``styles`` holds what differs, by column."""
    line = Text(" " * indent, style)
    for i, cell in enumerate(cells):
        line.append(_GAP if i else "").append(cell, (styles or {}).get(i))
    return line


def _html_line(cells: Sequence[str], columns: Sequence[Column], tag: str = "td") -> str:
    """Return a line of a table, with a hair line above that can be seen on any page."""
    style = "padding:3px 10px;border:none;vertical-align:top;white-space:nowrap;"
    style += "font-weight:600;opacity:.7;" if tag == "th" else "border-top:1px solid rgba(128,128,128,.35);"
    sides = ["right" if column.right else "left" for column in columns]
    inner = "".join(f'<{tag} style="{style}text-align:{s}">{c}</{tag}>' for s, c in zip(sides, cells, strict=True))
    return f'<tr style="background:none">{inner}</tr>'


def _html_cell(row: Row, column: Column) -> str:
    cell = column.cell(row)
    return badge(cell, _COLOURS[row.verdict][1]) if column is VERDICT else escape(cell)


def _html_sentence(sentence: str, style: str = "") -> str:
    return f'<div style="max-width:60em;white-space:normal;{style}">{escape(sentence)}</div>'


def _html_block(block: Block) -> str:
    columns = [Column(title, str, right=i > 0) for i, title in enumerate(block.titles)]
    lines = [_html_line([escape(cell) for cell in line], columns) for line in block.lines]
    more = _html_sentence(f"and {block.more:,} more", "opacity:.7") if block.more else ""
    return _html_table([_html_line(block.titles, columns, "th"), *lines], 12) + more


def _html_table(lines: Sequence[str], size: int) -> str:
    style = f"border-collapse:collapse;border:none;margin:6px 0;font-size:{size}px"
    return f'<table style="{style}"><tbody>{"".join(lines)}</tbody></table>'
