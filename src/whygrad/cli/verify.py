"""``whygrad verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli import console
from whygrad.errors import WhygradError

_USAGE = 2


def verify(
    file: Annotated[Path, typer.Argument(help="A worked example in TOML; the format is in docs/verify.md.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable report.")] = False,
) -> None:
    """Say which numbers of a calculation by hand are right, and where the first wrong one is.

    Exit code 0: every number is right to its digits, rounded or cut off; 1: one is wrong, or cannot be verified;
    2: the file cannot be understood.

    Example: `whygrad verify my_calculation.toml`
    """
    from whygrad.explanation.verification import verify as judge  # noqa: PLC0415  (other commands do without)

    try:
        found = judge(file)
    except WhygradError as error:
        console.print_error(str(error))
        raise typer.Exit(_USAGE) from None
    if as_json:
        console.print_json(found.to_dict())
    else:
        console.out().print(found)
    if not found.right:
        raise typer.Exit(1)
