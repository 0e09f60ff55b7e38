"""What is shown: tables and JSON as results, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.load import ALLOWED, disturbed
from benchmarks.pairing import Comparison, Quartiles

#: Wide enough that nothing is folded when the output goes to a file.
_PIPED_WIDTH = 180
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
Row = Sequence[str]


class Report:
    """Collects what was measured, and shows it at the end."""

    def __init__(self, command: str, machine: dict[str, Any], target: str | None) -> None:
        self.target, self.failed, self.disturbed = target, False, 0
        self.content: dict[str, Any] = {"command": command, "machine": machine, "options": {}, "results": []}

    def say(self, text: str) -> None:
        """Tell whoever waits what happens now."""
        _console(error=True).print(Text(text, "dim"))

    def warn(self, text: str) -> None:
        """Tell that something is not as it should be; the exit code will say so as well."""
        self.failed = True
        _console(error=True).print(Text(text, "bold red"))

    def add(self, **values: Any) -> None:
        """Add one result."""
        self.content["results"].append(values)
        others = values.get("seconds", {}).get("others") if isinstance(values.get("seconds"), dict) else None
        values["disturbed"] = disturbed(others)
        if values["disturbed"]:
            self.disturbed += 1
            self.say(f"  disturbed: other processes used {others:.2f} cores meanwhile")

    def table(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Show a table; on standard error where standard output is for JSON."""
        m = self.content["machine"]
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        for i, name in enumerate(columns):
            table.add_column(name, justify="right" if i else "left")
        for row in rows:
            table.add_row(*row)
        console = _console(error=self.target == "-")
        console.print(Text(f"{m['cpu']}, {m['cores']} cores, {m['threads']} threads, {m['os']}"))
        versions = ", ".join(f"{name} {m[name]}" for name in ("whygrad", "numpy", "numba", "torch") if m[name])
        console.print(Text(f"Python {m['python']}, {versions}"))
        console.print(table)
        if self.disturbed:
            text = f"{self.disturbed} of these were measured while other processes used more than {ALLOWED} cores:"
            console.print(Text(f"{text} what they say is about that, not about either side.", "bold yellow"))

    def write(self) -> None:
        """Write the JSON to where it was asked for."""
        text = json.dumps(self.content, indent=1, allow_nan=False) + "\n"
        if self.target == "-":
            sys.stdout.write(text)
        elif self.target:
            Path(self.target).write_text(text, encoding="utf-8")


def _console(*, error: bool) -> Console:
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(stderr=error, highlight=False, emoji=False, width=width)


def seconds(value: float) -> str:
    """Return a time with three figures and its unit."""
    scale, unit = next(((s, u) for s, u in _UNITS if value >= s), _UNITS[-1])
    return f"{value / scale:.3g} {unit}" if value / scale < 100 else f"{value / scale:.0f} {unit}"


def spread(quartiles: Quartiles | None, show: Any = seconds) -> str:
    """Return the median with its quartiles."""
    if quartiles is None:
        return "–"
    return f"{show(quartiles.median)} ({show(quartiles.low)} – {show(quartiles.high)})"


def times(value: float) -> str:
    """Return a ratio."""
    return f"{value:.2f}"


def cells(comparison: Comparison) -> list[str]:
    """Return the cells that show a comparison: ours, the peer's, the ratio."""
    mark = "!" if disturbed(comparison.others) else ""
    return [spread(comparison.ours), spread(comparison.peer), spread(comparison.ratio, times) + mark]
