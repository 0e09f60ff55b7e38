"""``whygrad train``."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from threadpoolctl import threadpool_limits

from whygrad.checking import INPUT, JITTER, Report, check_model
from whygrad.cli import console
from whygrad.cli.compiling import compile_for, rehearse_check
from whygrad.data import DATASETS
from whygrad.errors import GradientError, OptionError
from whygrad.layers import count
from whygrad.models import MODELS
from whygrad.threads import set_num_threads
from whygrad.training import Evaluation, Experiment, Recipe, Run, Step, evaluate, fit
from whygrad.training.recipe import OPTIMIZERS, SCHEDULES, prepare

_DEFAULT = Recipe()
#: Images of the sample on which gradients are checked.
_SAMPLE = 4


def train(
    ctx: typer.Context,
    data: Annotated[str, typer.Argument(help=f"Data set: {', '.join(DATASETS)}.")] = _DEFAULT.data,
    model: Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)}.")] = _DEFAULT.model,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = _DEFAULT.epochs,
    batch_size: Annotated[int, typer.Option(help="Images in an update.")] = _DEFAULT.batch_size,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = _DEFAULT.optimizer,
    learning_rate: Annotated[
        float | None, typer.Option(help="Largest learning rate; one that suits the optimizer if left out.")
    ] = None,
    schedule: Annotated[str, typer.Option(help=f"One of {', '.join(SCHEDULES)}.")] = _DEFAULT.schedule,
    weight_decay: Annotated[float, typer.Option(help="Weight decay.")] = _DEFAULT.weight_decay,
    label_smoothing: Annotated[
        float, typer.Option(help="Share of the target spread over all classes.")
    ] = _DEFAULT.label_smoothing,
    clip: Annotated[float | None, typer.Option(help="Largest global norm of the gradients.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Hold out a tenth for validation and stop after so many epochs without a better loss."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of the images held out, initialisation, order and dropout.")
    ] = _DEFAULT.seed,
    out: Annotated[Path | None, typer.Option(help="Directory of the run; runs/DATA-N if left out.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Continue this run, bit for bit; takes no other choices, save a --learning-rate if it was stopped."
        ),
    ] = None,
    check: Annotated[bool, typer.Option(help="Check the gradients first.")] = True,
    watch: Annotated[
        bool | None,
        typer.Option(
            "--watch/--no-watch",
            help="Write to the metrics what goes on inside, and stop a run that is lost; remembered by the run.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable summary.")] = False,
) -> None:
    """Train a network, by default a small one on the embedded handwritten digits.

    Example: `whygrad train --epochs 30 --seed 1`
    """
    started = time.perf_counter()
    recipe = Recipe(
        data=data,
        model=model,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        clip=clip,
        patience=patience,
        seed=seed,
    )
    chosen = [name for name in ctx.params if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    if resume is not None and set(chosen) - {"resume", "check", "watch", "learning_rate", "as_json"}:
        remedy = "leave the other options out: the run remembers them"
        raise OptionError("--resume", "a run and no other choices", "both", remedy)
    # What is left to NumPy is too small to gain from threads of its own, which only get in the way of the kernels'.
    with threadpool_limits(1, "blas"):
        experiment = prepare(recipe) if resume is None else None
        run = Run(resume) if resume is not None else Run.create(recipe, out, watch=bool(watch))
        if resume is not None and learning_rate is not None:
            run.amend(learning_rate)
        set_num_threads(run.threads)
        experiment = experiment or run.experiment()
        shown = console.out() if not as_json else Console(quiet=True)
        summary = run.summary
        if summary is None:
            try:
                watching = run.watched if watch is None else watch
                summary = _train_and_report(run, experiment, shown, started, check=check, watch=watching)
            except KeyboardInterrupt:
                console.print_error(f"interrupted; continue with: whygrad train --resume {run.path}")
                raise typer.Exit(130) from None
        else:
            accuracy = console.percent(float(summary["test_accuracy"]))
            finished = f"is finished: test accuracy {accuracy} after {summary['epochs']} epochs."
            shown.print(f"{console.plain(run.path)} {finished}")
    if as_json:
        console.print_json(summary)


def _train_and_report(
    run: Run, experiment: Experiment, shown: Console, started: float, *, check: bool, watch: bool
) -> dict[str, Any]:
    _introduce(run, experiment, shown)
    compile_for(lambda: _rehearse(run, experiment, check=check, watch=watch))
    if check:
        _check_gradients(run, experiment, shown)
    _train(run, experiment, watch=watch)
    summary, result = run.finish(experiment, time.perf_counter() - started)
    _report(run, experiment, summary, result, shown)
    return summary


def _rehearse(run: Run, experiment: Experiment, *, check: bool, watch: bool) -> None:
    """Go once through all that a training computes."""
    recipe, data, rng = run.recipe, experiment.train, np.random.default_rng(0)
    params = experiment.model.init(rng)
    next(
        fit(
            experiment.model,
            params,
            data.images,
            data.labels,
            optimizer=experiment.optimizer,
            rng=rng,
            loss=experiment.loss,
            batch_size=recipe.batch_size,
            clip=experiment.clip,
        )
    )
    evaluate(experiment.model, params, experiment.test.images, experiment.test.labels, loss=experiment.loss)
    if watch:
        run.monitor(experiment).begin(params)
    if check:  # in float64, where only the network itself is compiled
        exact = {name: array.astype(np.float64) for name, array in params.items()}
        images, labels = data.images[:_SAMPLE].astype(np.float64), data.labels[:_SAMPLE]
        rehearse_check(experiment.model, exact, images, labels, experiment.loss)


def _introduce(run: Run, experiment: Experiment, shown: Console) -> None:
    recipe, data = run.recipe, experiment.train
    held_out = f", {len(experiment.validation.labels)} for validation" if experiment.validation else ""
    shown.print(
        f"[bold]{recipe.data}[/]: {len(data.labels)} training images{held_out}, {len(experiment.test.labels)} test"
        f" images, {'x'.join(map(str, data.image_shape))}, {len(data.classes)} classes"
    )
    shown.print(
        f"[bold]{recipe.model}[/]: {count(experiment.model):,} parameters; {recipe.optimizer}, {recipe.schedule},"
        f" {recipe.epochs} epochs, seed {recipe.seed}"
    )


def _checked(run: Run, experiment: Experiment) -> Report:
    """Return the check of all gradients at fresh parameters, moved off the kinks that fresh biases lie on."""
    data, seed = experiment.train, run.recipe.seed
    params = experiment.model.init(np.random.default_rng(seed))
    images, labels = data.images[:_SAMPLE], data.labels[:_SAMPLE]
    return check_model(experiment.model, params, images, labels, loss=experiment.loss, seed=seed, jitter=JITTER)


def _check_gradients(run: Run, experiment: Experiment, shown: Console) -> None:
    report = _checked(run, experiment)
    if not report.right:
        row = next(row for row in report if not row.verdict.good)
        remedy = "do not trust this training; report it, or skip the check with --no-check"
        raise GradientError(
            f"gradient of {row.name}", "right", f"{row.verdict}", "; ".join([*row.findings, remedy])
        )
    trained = [row for row in report if row.name != INPUT]
    shown.print(
        f"[bold]gradients[/]: {sum(row.entries for row in trained):,} checked along random directions, all right"
        f" (known to {max(row.bound for row in trained):.0e})"
    )


def _train(run: Run, experiment: Experiment, *, watch: bool) -> None:
    """Train to the end, or until it is lost, with a progress bar where somebody is looking."""
    looking = console.progress_console()
    batches = -(-len(experiment.train.labels) // run.recipe.batch_size)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[now]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=looking,
        transient=True,
    )
    with bar if looking is not None else nullcontext():
        task: Any = bar.add_task("training", total=run.recipe.epochs * batches, now="")
        steps = run.steps(experiment, run.monitor(experiment) if watch else None)
        try:
            for step in steps:
                if looking is not None:
                    line = _epoch_line(step, run.recipe.epochs)
                    epoch, _, now = line.partition("  ")
                    bar.update(task, completed=step.step, description=epoch, now=now)
                    if step.ends_epoch:
                        looking.print(line)
        finally:
            steps.close()  # type: ignore[attr-defined]  # writes the checkpoint of the last step


def _epoch_line(step: Step, epochs: int) -> str:
    width = len(str(epochs))
    accuracy = "" if step.epoch_accuracy is None else f"  accuracy {console.percent(step.epoch_accuracy):>8}"
    return f"epoch {step.epoch:>{width}}/{epochs}  loss {step.epoch_loss:.4f}{accuracy}"


def _report(run: Run, experiment: Experiment, summary: dict[str, Any], result: Evaluation, shown: Console) -> None:
    total = len(experiment.test.labels)
    right = round(result.accuracy * total)
    shown.print(
        f"\n[bold green]test accuracy {console.percent(result.accuracy)}[/] ({right} of {total}),"
        f" after {summary['epochs']} epochs in {summary['seconds']:.1f} s\n"
    )
    shown.print("Each row is a class, each column what its images were taken for:")
    shown.print(console.confusion_table(result.confusion, experiment.test.classes))
    shown.print(f"The run is in [bold]{console.plain(run.path)}[/]. What to try next:")
    commands = {
        f"whygrad info {run.path}": "its network and epochs",
        f"whygrad predict {run.path} IMAGE.png": "what it makes of your own image",
        f"whygrad train --seed {run.recipe.seed + 1}": "how much of it was luck",
        "whygrad train --optimizer adamw": "another optimiser",
    }
    width = max(map(len, commands))
    for command, what in commands.items():
        shown.print(f"  [cyan]{console.plain(f'{command:<{width}}')}[/]  {what}")
