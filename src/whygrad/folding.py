"""Lines in a terminal, folded for its width and written in letters that it has. This module brings Rich."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import StringIO
from typing import Any, TypeAlias

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

#: Where sentences are folded, however wide the terminal is.
READABLE = 100
#: What a terminal without Unicode gets; within tables one letter for one, so that columns and colours stay.
ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "–": "-", "…": ".", "−": "-", "×": "x", "±": "~", "°": "d", "·": "*", "′": "'", "²": "^2"}
    | {"→": "->", "η": "eta", "λ": "lambda", "β": "beta", "₁": "1", "₂": "2", "√": "sqrt", "∞": "inf", "Σ": "sum"}
    | {"⁴": "^4", "‖": "|", "½": "1/2"}
)
#: The colours of a verdict: in a terminal, and in a notebook, where white on it can be read on any page.
GOOD, DOUBTFUL, BAD = ("green", "#1a7f37"), ("yellow", "#8a6100"), ("red", "#cf222e")
#: A line with its indentation, which is None where it is laid out already, as within a table.
Line: TypeAlias = tuple[Text, int | None]


class Folded:
    """Lines that are laid out when their width is known.

    Args:
        lines: gives the lines for so many columns.

    Example:
        >>> shown = Folded(lambda width: [(Text("two words"), 0), (Text("below"), 2)])
        >>> print(plain(shown, 20))
        two words
          below
    """

    def __init__(self, lines: Callable[[int], Iterable[Line]]) -> None:
        self.lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line, indent in self.lines(options.max_width):
            if options.ascii_only:
                line.plain = line.plain.translate(ASCII)
            width = options.max_width if indent is None else min(options.max_width, READABLE) - indent
            # In a pipe nothing is folded.
            for part in [line] if options.no_wrap or not line.plain else line.wrap(console, max(width, 20)):
                part.rstrip()
                yield Text(" " * (indent or 0)) + part


def plain(shown: Any, width: int = READABLE) -> str:
    """Return what Rich prints as plain text of so many columns.

    Example:
        >>> plain(Text("wrong", "red"))
        'wrong'
    """
    file = StringIO()
    console = Console(
        file=file, width=width, color_system=None, force_jupyter=False, force_terminal=False, legacy_windows=False
    )
    console.print(shown)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
