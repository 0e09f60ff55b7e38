"""``whygrad evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli import console
from whygrad.training import Run
from whygrad.training import evaluate as evaluate_model


def evaluate(
    run: Annotated[Path, typer.Argument(help="Directory of the run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable result.")] = False,
) -> None:
    """Measure a run on the test images that it was never trained on.

    Example: `whygrad evaluate runs/digits-1`
    """
    opened = Run(run)
    experiment = opened.experiment()
    test = experiment.test
    result = evaluate_model(experiment.model, opened.parameters(experiment), test.images, test.labels)
    right, total = round(result.accuracy * len(test.labels)), len(test.labels)
    if as_json:
        console.print_json(
            {
                "test_accuracy": result.accuracy,
                "test_loss": result.loss,
                "images": total,
                "confusion": result.confusion.tolist(),
            }
        )
        return
    shown = console.out()
    shown.print(
        f"[bold]test accuracy {console.percent(result.accuracy)}[/] ({right} of {total}), loss {result.loss:.4f}\n"
    )
    shown.print(console.confusion_table(result.confusion, test.classes))
