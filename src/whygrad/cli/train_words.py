"""What ``whygrad train`` says before, during and after a training."""

from __future__ import annotations

import shlex
from typing import Any

from rich.console import Console

from whygrad.cli import console
from whygrad.data import DATASETS
from whygrad.layers import count
from whygrad.training import Evaluation, Experiment, Run, Step

#: Pictures that could not be read and are named on the screen.
_NAMED = 10


def introduce(run: Run, experiment: Experiment, shown: Console) -> None:
    """Say what is trained, on which images, and which pictures could not be read."""
    recipe, data = run.recipe, experiment.train
    held_out = f", {len(experiment.validation.labels)} for validation" if experiment.validation else ""
    shown.print(
        f"[bold]{console.plain(recipe.request.name)}[/]: {len(data.labels)} training images{held_out},"
        f" {len(experiment.test.labels)} test"
        f" images, {'x'.join(map(str, data.image_shape))}, {len(data.classes)} classes"
    )
    _name_skipped(experiment.facts.skipped)
    changes = f", augmented by {console.plain(recipe.augment)}" if recipe.augment else ""
    shown.print(
        f"[bold]{recipe.model}[/]: {count(experiment.model):,} parameters; {recipe.optimizer}, {recipe.schedule},"
        f" {recipe.epochs} epochs{changes}, seed {recipe.seed}"
    )


def _name_skipped(skipped: dict[str, str]) -> None:
    """Name the pictures that could not be read, the first ones where there are many."""
    for path, reason in list(skipped.items())[:_NAMED]:
        console.print_error(f"{path}: left out, {reason}")
    if len(skipped) > _NAMED:
        console.print_error(f"{len(skipped) - _NAMED} more pictures left out; all stand in the run's config.json")


def epoch_line(step: Step, epochs: int) -> str:
    """Return where a training stands."""
    width = len(str(epochs))
    accuracy = "" if step.epoch_accuracy is None else f"  accuracy {console.percent(step.epoch_accuracy):>8}"
    return f"epoch {step.epoch:>{width}}/{epochs}  loss {step.epoch_loss:.4f}{accuracy}"


def say_finished(run: Run, summary: dict[str, Any], shown: Console) -> None:
    """Say what a run reached that has nothing left to train."""
    accuracy = console.percent(float(summary["test_accuracy"]))
    shown.print(
        f"{console.plain(run.path)} is finished: test accuracy {accuracy} after {summary['epochs']} epochs."
    )


def report(run: Run, experiment: Experiment, summary: dict[str, Any], result: Evaluation, shown: Console) -> None:
    """Say what a training reached, which classes are taken for which, and what to try next."""
    total = len(experiment.test.labels)
    right = round(result.accuracy * total)
    shown.print(
        f"\n[bold green]test accuracy {console.percent(result.accuracy)}[/] ({right} of {total}),"
        f" after {summary['epochs']} epochs in {summary['seconds']:.1f} s\n"
    )
    shown.print("Each row is a class, each column what its images were taken for:")
    shown.print(console.confusion_table(result.confusion, experiment.test.classes))
    shown.print(f"The run is in [bold]{console.plain(run.path)}[/]. What to try next:")
    commands = _next_commands(run)
    width = max(map(len, commands))
    for command, what in commands.items():
        shown.print(f"  [cyan]{console.plain(f'{command:<{width}}')}[/]  {what}")


def _next_commands(run: Run) -> dict[str, str]:
    """Return what may be called with a finished run, and what each of it gives."""
    request = run.recipe.request
    name = request.data if request.named else shlex.quote(request.data)
    of = "" if request.data == DATASETS[0] else f" {name}"
    if request.data_dir is not None:
        of += f" --data-dir {shlex.quote(str(request.data_dir))}"
    return {
        f"whygrad info {run.path}": "its network and epochs",
        f"whygrad predict {run.path} IMAGE.png": "what it makes of your own image",
        f"whygrad report {run.path}": "a page with curves, mistakes and filters",
        f"whygrad train{of} --seed {run.recipe.seed + 1}": "how much of it was luck",
    }
