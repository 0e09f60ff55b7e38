"""Showing how far a download or a look at pictures is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from whygrad.cli import console


@contextmanager
def showing_progress() -> Iterator[Callable[[int, int, str], None] | None]:
    """Give a function that shows how much of something is done; None where nobody is looking."""
    looking = console.progress_console()
    if looking is None:
        yield None
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=looking, transient=True) as bar:
        tasks = {}

        def show(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show
