"""``whygrad train``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from threadpoolctl import threadpool_limits

from whygrad.checking import INPUT, JITTER, Report, check_model
from whygrad.cli import console, train_words
from whygrad.cli.compiling import compile_for, rehearse_check
from whygrad.cli.loading import showing_progress
from whygrad.data import AUGMENTATIONS, COLOURS, DATASETS, FITS
from whygrad.errors import GradientError, OptionError
from whygrad.models import MODELS
from whygrad.threads import set_num_threads
from whygrad.training import RECIPES, Experiment, Recipe, Run, evaluate, fit
from whygrad.training.recipe import OPTIMIZERS, SCHEDULES, batches_in, prepare

if TYPE_CHECKING:
    from whygrad.interop.tensorboard import TensorBoard

#: Images of the sample on which gradients are checked.
_SAMPLE = 4
#: Options that are no choices of a recipe.
_OTHERS = ("ctx", "data", "recipe", "out", "resume", "check", "tensorboard", "watch", "as_json")
#: Options that may be given for a run that is resumed.
_WITH_RESUME = {"resume", "check", "tensorboard", "watch", "learning_rate", "as_json"}
_FOLDER = "For a folder: "


def train(
    ctx: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            help=f"One of {', '.join(DATASETS)}; or a folder with one sub-folder of pictures a class, an .npz, or"
            " an IDX file."
        ),
    ] = DATASETS[0],
    recipe: Annotated[
        str, typer.Option(help=f"One of {', '.join(RECIPES)}: the choices that suit the data, of those below.")
    ] = RECIPES[0],
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with the files of a named data set; found or downloaded if left out."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help=f"{_FOLDER}size of the images, as 64, or 48x64 for height x width.")
    ] = None,
    colour: Annotated[str | None, typer.Option(help=f"{_FOLDER}one of {', '.join(COLOURS)}.")] = None,
    fit: Annotated[
        str | None, typer.Option(help=f"{_FOLDER}one of {', '.join(FITS)}: how pictures get that size.")
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict", help=f"{_FOLDER}refuse it if a picture cannot be read; else that is left out."),
    ] = None,
    normalise: Annotated[
        bool | None, typer.Option(help="Bring each channel to mean 0 and deviation 1.", show_default=False)
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help=f"Random changes of the training images, among {', '.join(AUGMENTATIONS)}: 'shift=2, flip'."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help=f"One of {', '.join(MODELS)}.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in an update.")] = None,
    drop_last: Annotated[
        bool | None, typer.Option("--drop-last", help="Leave out an epoch's last batch where it is smaller.")
    ] = None,
    optimizer: Annotated[str | None, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Largest learning rate; one that suits the optimizer if left out.")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help=f"One of {', '.join(SCHEDULES)}.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Weight decay.")] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of the target spread over all classes.")
    ] = None,
    clip: Annotated[float | None, typer.Option(help="Largest global norm of the gradients.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Hold out a tenth for validation and stop after so many epochs without a better loss."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the images held out, initialisation, order and dropout.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Directory of the run; runs/DATA-N if left out.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Continue this run, bit for bit; takes no other choices, save a --learning-rate if it was stopped."
        ),
    ] = None,
    check: Annotated[bool, typer.Option(help="Check the gradients first.")] = True,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Write curves and histograms for TensorBoard into this directory.")
    ] = None,
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

    What is left out follows from the data and the recipe; `whygrad info` shows what was chosen.

    Example: `whygrad train mnist --epochs 2 --seed 1`
    """
    started = time.perf_counter()
    if resume is not None:
        _refuse_choices(ctx)
    made = Recipe.suited(data, recipe, **_choices(ctx))
    # What is left to NumPy is too small to gain from threads of its own, which only get in the way of the kernels'.
    with threadpool_limits(1, "blas"), _board(tensorboard) as board:
        if resume is None:
            run, experiment = _begun(made, out, watch=bool(watch))
        else:
            run, experiment = _resumed(resume, learning_rate)
        shown = console.out() if not as_json else Console(quiet=True)
        summary = run.summary
        if summary is None:
            watching = run.watched if watch is None else watch
            with _told_how_to_go_on(run):
                summary = _train_and_report(run, experiment, shown, started, board, check=check, watch=watching)
        else:
            train_words.say_finished(run, summary, shown)
    if as_json:
        console.print_json(summary)


def _choices(ctx: typer.Context) -> dict[str, Any]:
    """Return the choices of a recipe among the options."""
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in ctx.params.items()
        if name not in _OTHERS and value is not None
    }


def _refuse_choices(ctx: typer.Context) -> None:
    """Refuse what a run that is resumed remembers.

    Raises:
        OptionError: such an option was given.
    """
    given = {name for name in ctx.params if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"}
    if given - _WITH_RESUME:
        remedy = "leave the other options out: the run remembers them"
        raise OptionError("--resume", "a run and no other choices", "both", remedy)


def _begun(recipe: Recipe, out: Path | None, *, watch: bool) -> tuple[Run, Experiment]:
    with showing_progress() as progress:
        experiment = prepare(recipe, progress=progress)
    run = Run.create(recipe, out, facts=experiment.facts, watch=watch)
    set_num_threads(run.threads)
    return run, experiment


def _resumed(path: Path, learning_rate: float | None) -> tuple[Run, Experiment]:
    run = Run(path)
    if learning_rate is not None:
        run.amend(learning_rate)
    set_num_threads(run.threads)
    with showing_progress() as progress:
        return run, run.experiment(progress=progress)


@contextmanager
def _told_how_to_go_on(run: Run) -> Iterator[None]:
    """End the program when it is interrupted, and say how to continue."""
    try:
        yield
    except KeyboardInterrupt:
        console.print_error(f"interrupted; continue with: whygrad train --resume {run.path}")
        raise typer.Exit(130) from None


def _train_and_report(
    run: Run,
    experiment: Experiment,
    shown: Console,
    started: float,
    board: TensorBoard | None,
    *,
    check: bool,
    watch: bool,
) -> dict[str, Any]:
    train_words.introduce(run, experiment, shown)
    compile_for(lambda: _rehearse(run, experiment, check=check, watch=watch))
    if check:
        _check_gradients(run, experiment, shown)
    _train(run, experiment, board, watch=watch)
    summary, result = run.finish(experiment, time.perf_counter() - started)
    train_words.report(run, experiment, summary, result, shown)
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
            augment=experiment.augment,
            clip=experiment.clip,
        )
    )
    test = experiment.test.take(np.arange(min(_SAMPLE, len(experiment.test.labels))))
    evaluate(experiment.model, params, test.images, test.labels, loss=experiment.loss)
    if watch:
        run.monitor(experiment).begin(params)
    if check:  # in float64, where only the network itself is compiled
        exact = {name: array.astype(np.float64) for name, array in params.items()}
        images, labels = data.images[:_SAMPLE].astype(np.float64), data.labels[:_SAMPLE]
        rehearse_check(experiment.model, exact, images, labels, experiment.loss)


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


def _board(directory: Path | None) -> AbstractContextManager[TensorBoard | None]:
    """Return the writer of events for TensorBoard, if there is to be one.

    Raises:
        DependencyError: tensorboardX is not installed.
        FileError: the directory cannot be written to.
    """
    if directory is None:
        return nullcontext()
    from whygrad.interop.tensorboard import TensorBoard  # noqa: PLC0415  (only where tensorboardX is installed)

    return TensorBoard(directory)


def _train(run: Run, experiment: Experiment, board: TensorBoard | None, *, watch: bool) -> None:
    """Train to the end, or until it is lost, with a progress bar where somebody is looking."""
    looking = console.progress_console()
    batches = batches_in(run.recipe, len(experiment.train.labels))
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
        monitor = run.monitor(experiment) if watch else None
        steps = run.steps(experiment, monitor, keep_gradients=board is not None)
        try:
            for step in steps:
                if board is not None:
                    board.write(step, **run.validation)
                if looking is not None:
                    line = train_words.epoch_line(step, run.recipe.epochs)
                    epoch, _, now = line.partition("  ")
                    bar.update(task, completed=step.step, description=epoch, now=now)
                    if step.ends_epoch:
                        looking.print(line)
        finally:
            steps.close()  # type: ignore[attr-defined]  # writes the checkpoint of the last step
