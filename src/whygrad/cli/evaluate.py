"""``whygrad evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli import console
from whygrad.cli.loading import showing_progress
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
    with showing_progress() as progress:
        experiment = opened.experiment(progress=progress)
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
                "top": {str(k): result.top(k) for k in _tops(len(test.classes))},
                "precision": dict(zip(test.classes, result.precision.tolist(), strict=True)),
                "recall": dict(zip(test.classes, result.recall.tolist(), strict=True)),
            }
        )
        return
    shown = console.out()
    shown.print(
        f"[bold]test accuracy {console.percent(result.accuracy)}[/] ({right} of {total}), loss {result.loss:.4f}"
    )
    tops = [f"{console.percent(result.top(k))} among the first {k}" for k in _tops(len(test.classes)) if k > 1]
    shown.print(f"The right class is {', '.join(tops)}.\n" if tops else "")
    shown.print(console.confusion_table(result.confusion, test.classes))
    shown.print(console.class_table(result, test.classes))


def _tops(classes: int) -> list[int]:
    """Return how many of the most probable classes are looked at."""
    return [k for k in (1, 2, 3, 5) if k == 1 or k < classes]
