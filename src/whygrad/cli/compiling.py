"""Compiling kernels before a command needs them, and showing how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from whygrad.cli import console
from whygrad.layers import Layer
from whygrad.typing import Array, Loss, Params


def compile_for(run: Callable[[], object]) -> None:
    """Compile the kernels that ``run()`` needs, with progress where somebody is looking."""
    from whygrad.kernels import ahead  # noqa: PLC0415  (it brings Numba, which other commands do without)

    compile_jobs(ahead.jobs_of(run))


def rehearse_check(model: Layer, params: Params, x: Array, target: Any, loss: Loss) -> None:
    """Go once through all that a check of a model computes: the model as a whole, and layer by layer."""
    from whygrad.checking.watching import watched  # noqa: PLC0415

    for form in (model, watched(model, lambda _event: None)):
        y, pullback, _ = form(params, x, training=True, rng=np.random.default_rng(0))
        pullback(loss(y, target)[1])


def compile_jobs(jobs: list[Any]) -> None:
    """Compile some kernels, with progress where somebody is looking."""
    from whygrad.kernels import ahead  # noqa: PLC0415

    looking = console.progress_console() if jobs else None
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=looking, transient=True)
    with bar if looking is not None else nullcontext():
        task: Any = bar.add_task("compiling kernels, once on this machine", total=len(jobs))
        ahead.compile_ahead(jobs, lambda _job: bar.advance(task))
