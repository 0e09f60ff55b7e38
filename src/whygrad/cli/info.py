"""``whygrad info``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from whygrad.cli import console
from whygrad.training import Run, read_metrics


def info(
    run: Annotated[Path, typer.Argument(help="Directory of the run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable description.")] = False,
) -> None:
    """Describe a run: its recipe, its network and how far it came.

    Example: `whygrad info runs/digits-1`
    """
    opened = Run(run)
    plan = opened.plan()
    records = read_metrics(run / "metrics.jsonl")
    epochs = [record for record in records if "epoch_loss" in record]
    summary = opened.summary
    if as_json:
        console.print_json(
            {
                "config": opened.config,
                "finished": summary is not None,
                "stopped": opened.stopped,
                "steps": records[-1]["step"] if records else 0,
                "epochs": epochs,
                "summary": summary,
            }
        )
        return
    shown = console.out()
    shown.print(
        f"[bold]{console.plain(run)}[/], written by whygrad {console.plain(opened.config.get('whygrad', '?'))}\n"
    )
    for name, value in opened.recipe.to_dict().items():
        if value not in (None, "", False):
            shown.print(f"  {name:<15}  {console.plain(value)}")
    shown.print(f"\n{plan.model}\n", markup=False)
    for record in epochs:
        shown.print(_line(record))
    if summary is None:
        done = records[-1]["step"] if records else 0
        if opened.stopped is not None:
            why = "{reason}; restored is step {restored_step}".format_map(opened.stopped)
            shown.print(f"\nstopped at step {opened.stopped['step']}: {console.plain(why)}")
        shown.print(f"\nunfinished, after {done} steps; continue with: whygrad train --resume {console.plain(run)}")
    else:
        accuracy = console.percent(summary["test_accuracy"])
        shown.print(f"\nfinished: [bold]test accuracy {accuracy}[/] after {summary['seconds']} s")


def _line(record: dict[str, Any]) -> str:
    accuracy = record.get("epoch_accuracy")
    shown = "" if accuracy is None else f"  accuracy {console.percent(accuracy):>8}"
    validation = record.get("validation_loss")
    shown += "" if validation is None else f"  validation loss {validation:.4f}"
    return f"  epoch {record['epoch']:>3}  loss {record['epoch_loss']:.4f}{shown}"
