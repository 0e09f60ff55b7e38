"""How the command line speaks: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from whygrad.training import Evaluation
from whygrad.typing import IntArray

#: Wide enough that nothing is folded when the output goes to a file.
_PIPED_WIDTH = 200


class _Console(Console):
    """A console that leaves it to the command line to say that its reader has gone."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def out() -> Console:
    """Return the console for results: plain text where standard output is no terminal."""
    piped = not sys.stdout.isatty()
    return _Console(highlight=False, emoji=False, soft_wrap=piped, width=_PIPED_WIDTH if piped else None)


def plain(value: object) -> str:
    """Return a name or path so that none of its characters is taken for markup."""
    return escape(str(value))


def progress_console() -> Console | None:
    """Return the console for progress; None where nobody is looking."""
    return (
        _Console(stderr=True, highlight=False, emoji=False) if sys.stdout.isatty() and sys.stderr.isatty() else None
    )


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object and nothing else; what is no finite number is null."""
    sys.stdout.write(json.dumps(_finite(value), allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
        table.add_column(plain(name), justify="right")
    table.add_column("right", justify="right")
    for i, row in enumerate(confusion):
        total = int(row.sum())
        cells = [_cell(int(n), on_diagonal=i == j) for j, n in enumerate(row)]
        table.add_row(plain(classes[i]), *cells, f"{int(row[i])}/{total}")
    return table


def class_table(result: Evaluation, classes: Sequence[str]) -> Table:
    """Return a table of precision and recall."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in ("class", "precision", "recall", "images"):
        table.add_column(heading, justify="right", style="bold" if heading == "class" else None)
    numbers = zip(classes, result.precision, result.recall, result.confusion.sum(axis=1), strict=True)
    for name, precision, recall, images in numbers:
        table.add_row(plain(name), _share(float(precision)), _share(float(recall)), str(int(images)))
    return table


def _share(share: float) -> str:
    return "–" if math.isnan(share) else percent(share)


def _cell(number: int, *, on_diagonal: bool) -> Text:
    if not number:
        return Text("·" if (sys.stdout.encoding or "").lower().startswith("utf") else ".", style="dim")
    return Text(str(number), style="green" if on_diagonal else "bold red")
