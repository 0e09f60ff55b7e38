"""``whygrad report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from whygrad.cli import console
from whygrad.cli.compiling import compile_for, rehearse_check
from whygrad.cli.loading import showing_progress
from whygrad.training import Run, evaluate

_SAMPLE = 4
_NAME = "report.html"


def report(
    run: Annotated[Path, typer.Argument(help="Directory of the run.")],
    out: Annotated[Path | None, typer.Option(help=f"The file; {_NAME} in the run's directory if left out.")] = None,
    check: Annotated[bool, typer.Option(help="Check the gradients of the trained network.")] = True,
) -> None:
    """Write one page about a run: curves, confusion, its worst mistakes, filters and checks.

    The page is a single file without scripts, which asks for nothing from elsewhere.

    Example: `whygrad report runs/digits-1`
    """
    from whygrad.reporting import gather, write_report  # noqa: PLC0415  (other commands do without)

    with threadpool_limits(1, "blas"):
        opened = Run(run)
        with showing_progress() as progress:
            experiment = opened.experiment(progress=progress)
        params = opened.parameters(experiment)

        def rehearse() -> None:
            some = experiment.test.take(np.arange(min(_SAMPLE, len(experiment.test.labels))))
            evaluate(experiment.model, params, some.images, some.labels)
            if check:
                exact = {name: array.astype(np.float64) for name, array in params.items()}
                rehearse_check(
                    experiment.model, exact, some.images[:].astype(np.float64), some.labels, experiment.loss
                )

        compile_for(rehearse)
        path = run / _NAME if out is None else out
        size = write_report(gather(opened, experiment, check=check), path)
    console.out().print(f"wrote {console.plain(path)}, {size / 1000:.0f} kB")
