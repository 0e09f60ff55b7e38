"""Compiling kernels before a command needs them, and showing how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from whygrad.cli import console


def compile_for(run: Callable[[], object]) -> None:
    """Compile the kernels that ``run()`` needs, with progress where somebody is looking."""
    from whygrad.kernels import ahead  # noqa: PLC0415  (it brings Numba, which other commands do without)

    compile_jobs(ahead.jobs_of(run))


def compile_jobs(jobs: list[Any]) -> None:
    """Compile some kernels, with progress where somebody is looking."""
    from whygrad.kernels import ahead  # noqa: PLC0415

    looking = console.progress_console() if jobs else None
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=looking, transient=True)
    with bar if looking is not None else nullcontext():
        task: Any = bar.add_task("compiling kernels, once on this machine", total=len(jobs))
        ahead.compile_ahead(jobs, lambda _job: bar.advance(task))
