"""What a report says, in words and columns, whatever it is shown on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from whygrad.checking.report import Entry, Kink, Report, Row, Verdict

#: How many wrong entries and kinks of a row are shown, and how many names are listed before "and 12 more".
_SHOWN, _NAMED = 8, 4
#: Digits of numbers that need not be told from others.
_DIGITS = 5

MARKS = {
    Verdict.RIGHT: "✓",
    Verdict.KINK: "✓",
    Verdict.UNDECIDED: "?",
    Verdict.WRONG: "✗",
    Verdict.NOT_FINITE: "✗",
    Verdict.FAULTY: "!",
}


class Column(NamedTuple):
    """A column of the table of rows."""

    title: str
    cell: Callable[[Row], str]
    right: bool = False  #: whether what stands in it ends at one line, as numbers do


class Block(NamedTuple):
    """A small table below a row: names of entries, and numbers."""

    titles: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]
    more: int  #: how many lines were left out


def short(value: float, digits: int = 1) -> str:
    """Return a number of which the size matters.

    Example:
        >>> short(3.14e-5), short(0.25, 2), short(0.0)
        ('3e-5', '0.25', '0')
    """
    return re.sub(r"e([+-])0", r"e\1", f"{value:.{digits}g}")


def _number(value: float, digits: int = _DIGITS) -> str:
    return f"{value:z.{digits}g}" if math.isfinite(value) else str(value)


def _digits(entry: Entry) -> int:
    """Return how many digits it takes to tell the claim from what was measured."""
    difference, size = abs(entry.analytic - entry.numeric), max(abs(entry.analytic), abs(entry.numeric))
    if not (math.isfinite(size) and difference > entry.bound):
        return _DIGITS
    return min(max(_DIGITS, math.ceil(math.log10(size / difference)) + 2), 15)


def _claimed(entry: Entry, digits: int | None = None) -> str:
    return _number(entry.analytic, digits or _digits(entry))


def _measured(entry: Entry, digits: int | None = None) -> str:
    return f"{_number(entry.numeric, digits or _digits(entry))} ± {short(entry.bound)}"


def _place(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else "–"


def _of_worst(show: Callable[[Entry, int | None], str]) -> Callable[[Row], str]:
    """Return what shows a row's worst entry; where it is right, with no more digits than can be read."""
    return lambda row: "–" if row.worst is None else show(row.worst, _DIGITS if row.verdict.good else None)


def _error(row: Row) -> str:
    known = row.checked and math.isfinite(row.relative_error)
    return short(row.relative_error, 2) if known else "–"


def _known_to(row: Row) -> str:
    return short(row.bound) if row.verdict.good or row.verdict is Verdict.UNDECIDED else "–"


VERDICT = Column("verdict", lambda row: f"{MARKS[row.verdict]} {row.verdict}")
CLAIMED = Column("claimed", _of_worst(_claimed), right=True)
METHOD = Column("method", lambda row: row.method)
_COLUMNS = (
    Column("gradient of", lambda row: row.name),
    VERDICT,
    Column("checked", lambda row: f"{row.checked:,} of {row.entries:,}", right=True),
    Column("largest error", _error, right=True),
    Column("known to", _known_to, right=True),
    Column("worst entry", _of_worst(lambda entry, _: _place(entry.index))),
    CLAIMED,
    Column("measured", _of_worst(_measured), right=True),
)


def columns_of(report: Report) -> list[Column]:
    """Return the columns that a report has: the most important first, and the method unless all rows share it."""
    return [*_COLUMNS, *([METHOD] if len(_methods(report)) > 1 else [])]


def findings_of(report: Report) -> tuple[str, ...]:
    """Return what is said of the report as a whole, or of each of its rows alike."""
    rows = report.rows
    alike = len(rows) > 1 and len({row.findings for row in rows}) == 1
    return (*(rows[0].findings if alike else ()), *report.findings)


def blocks_of(row: Row) -> list[Block]:
    """Return the tables of a row's wrong entries and kinks."""
    blocks = []
    if row.wrong:
        wrong = [(_place(entry.index), _claimed(entry), _measured(entry)) for entry in row.wrong[:_SHOWN]]
        blocks.append(Block(("wrong entry", "claimed", "measured"), wrong, max(0, len(row.wrong) - _SHOWN)))
    if row.kinks:
        kinks = [_kink(kink) for kink in sorted(row.kinks, key=lambda kink: kink.valid)]  # what is wrong first
        titles = ("entry at a kink", "claimed", "slope left", "slope right", "switches", "claim lies")
        blocks.append(Block(titles, kinks[:_SHOWN], max(0, len(kinks) - _SHOWN)))
    return blocks


def _kink(kink: Kink) -> tuple[str, ...]:
    numbers = (_number(kink.analytic), _number(kink.left), _number(kink.right))
    switches = "–" if kink.switches is None else f"{kink.switches:,}"
    return _place(kink.index), *numbers, switches, "✓ between" if kink.valid else "✗ outside"


def conclusion(report: Report) -> str:
    """Return the one sentence that a report comes to.

    Example:
        >>> rows = [Row(name=n, verdict=Verdict.RIGHT, shape=(2,), checked=2, entries=2, bound=1e-9) for n in "xw"]
        >>> conclusion(Report(subject="linear", rows=tuple(rows)))
        'Both gradients are right: 4 entries compared, known to 1e-9.'
    """
    good = [row for row in report.rows if row.verdict.good]
    if not report.rows:
        return "Nothing was checked."
    if len(good) == len(report.rows):
        return _all_right(report.rows)
    by_verdict = {verdict: [row for row in report.rows if row.verdict is verdict] for verdict in reversed(Verdict)}
    parts = [_is_bad(verdict, rows) for verdict, rows in by_verdict.items() if rows and not verdict.good]
    if good:
        parts.append(f"{good[0].name} is right" if len(good) == 1 else f"the other {len(good)} are right")
    sentence = "; ".join(parts) + "."
    return f"N{sentence[1:]}" if sentence.startswith("nothing") else sentence


def _all_right(rows: Sequence[Row]) -> str:
    checked, entries = sum(row.checked for row in rows), sum(row.entries for row in rows)
    subject = {1: f"The gradient of {rows[0].name}", 2: "Both gradients"}.get(
        len(rows), f"All {len(rows)} gradients"
    )
    compared = f"{checked:,}" if checked >= entries else f"{checked:,} of {entries:,}"
    unit = "entry" if entries == 1 else "entries"
    kinks = [row for row in rows if row.verdict is Verdict.KINK]
    at = f"; at the kinks of {_names(kinks)} the claim lies between the slopes" if kinks else ""
    return f"{subject} {_are(rows)} right: {compared} {unit} compared, known to {short(_bound(rows))}{at}."


def _bound(rows: Sequence[Row]) -> float:
    return max(row.bound for row in rows)


def _is_bad(verdict: Verdict, rows: Sequence[Row]) -> str:
    if verdict is Verdict.FAULTY:
        return f"nothing is known of {_names(rows)}, since the check itself is at fault"
    if verdict is Verdict.NOT_FINITE:
        return f"{_names(rows)} {'has' if len(rows) == 1 else 'have'} nothing finite to compare"
    worst = rows[0].worst
    if verdict is Verdict.WRONG and len(rows) == 1 and worst is not None:
        place = f" at {_place(worst.index)}" if worst.index else ""
        return f"{rows[0].name} is wrong: claimed {_claimed(worst)}, measured {_measured(worst)}{place}"
    return f"{_names(rows)} {_are(rows)} {verdict}"


def _are(rows: Sequence[Row]) -> str:
    return "is" if len(rows) == 1 else "are"


def _names(rows: Sequence[Row]) -> str:
    names = [row.name for row in rows]
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _methods(report: Report) -> dict[str, list[Row]]:
    """Return the rows by their method."""
    methods: dict[str, list[Row]] = {}
    for row in report.rows:
        if row.method:
            methods.setdefault(row.method, []).append(row)
    return methods


def notes_of(report: Report, *, methods: bool = True) -> list[str]:
    """Return how it was checked: the methods, unless a column holds them, and what was chosen."""
    found = _methods(report) if methods else {}
    lines = [f"{_names(rows)}: {method}" for method, rows in found.items()] if len(found) > 1 else list(found)
    lines = lines if len(lines) <= _NAMED else []  # more would be a table of their own
    chosen = [key if value is True else f"{key} {value}" for key, value in report.details.items() if _tells(value)]
    if report.evaluations:
        chosen.insert(0, f"{report.evaluations:,} evaluations in {short(report.seconds, 2)} s")
    return [*lines, ", ".join(chosen)] if chosen else lines


def _tells(value: Any) -> bool:
    return isinstance(value, str | int | float) and value is not False
