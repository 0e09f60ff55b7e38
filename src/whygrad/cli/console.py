"""How the command line speaks: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from whygrad.typing import IntArray

#: Wide enough that nothing is folded when the output goes to a file.
_PIPED_WIDTH = 200


def out() -> Console:
    """Return the console for results: plain text where standard output is no terminal."""
    piped = not sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=piped, width=_PIPED_WIDTH if piped else None)


def progress_console() -> Console | None:
    """Return the console for progress; None where nobody is looking."""
    return Console(stderr=True, highlight=False) if sys.stdout.isatty() and sys.stderr.isatty() else None


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object and nothing else."""
    sys.stdout.write(json.dumps(value) + "\n")


def print_error(message: str) -> None:
    """Print an error on one line."""
    sys.stderr.write(f"whygrad: {' '.join(message.split())}\n")


def percent(share: float) -> str:
    """Return a share as per cent with two decimals."""
    return f"{100 * share:.2f} %"


def confusion_table(confusion: IntArray, classes: Sequence[str]) -> Table:
    """Return a table of how often each class was taken for each."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("true", justify="right", style="bold")
    for name in classes:
        table.add_column(name, justify="right")
    table.add_column("right", justify="right")
    for i, row in enumerate(confusion):
        total = int(row.sum())
        cells = [_cell(int(n), on_diagonal=i == j) for j, n in enumerate(row)]
        table.add_row(classes[i], *cells, f"{int(row[i])}/{total}")
    return table


def _cell(number: int, *, on_diagonal: bool) -> Text:
    if not number:
        return Text("·", style="dim")
    return Text(str(number), style="green" if on_diagonal else "bold red")
