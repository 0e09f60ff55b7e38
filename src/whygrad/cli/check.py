"""``whygrad check``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from whygrad.cli import console
from whygrad.cli.compiling import compile_for, rehearse_check
from whygrad.errors import OptionError

if TYPE_CHECKING:
    from whygrad.checking.report import Report
    from whygrad.layers import Sequential

#: Images on which a model is checked.
_IMAGES = 2
#: Seconds that a person's function may take.
_TIME_LIMIT = 60.0

Engine = Literal["compiled", "definition"]
Floats = Literal["float64", "float32"]


def check(
    target: Annotated[
        str,
        typer.Argument(
            help="A ready model, an operation, a loss, the directory of a run, or your own FILE.py or"
            " FILE.py:FORWARD,BACKWARD."
        ),
    ] = "digits_cnn",
    full: Annotated[bool, typer.Option("--full", help="Compare every entry, however many there are.")] = False,
    seed: Annotated[int, typer.Option(help="Of the inputs, the directions and the entries chosen.", min=0)] = 0,
    engine: Annotated[Engine, typer.Option(help="The kernels, or the formulas in NumPy.")] = "compiled",
    dtype: Annotated[
        Floats | None, typer.Option(help="The float type of an operation or loss; float64 if left out.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds that one call of a file's function may take; 60 if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable report.")] = False,
) -> None:
    """Compare gradients with finite differences, and say where and how they differ.

    A file needs functions forward(x, w, ...) and backward(dy, x, w, ...), or loss and gradient, and inputs(rng),
    which returns the arrays by name.

    Exit code 0: every gradient is right; 1: one is not.

    Example: `whygrad check my_layer.py`
    """
    from whygrad.checking.user_file import parse_target  # noqa: PLC0415  (other commands do without)
    from whygrad.engines import engine as engine_of  # noqa: PLC0415

    file = parse_target(target)
    with engine_of(engine), redirect_stdout(sys.stderr) if as_json else nullcontext():
        try:
            if file is not None:
                _refuse(target, "a file", dtype=dtype)
                limit = _TIME_LIMIT if time_limit is None else time_limit
                report = _check_file(*file, full=full, seed=seed, time_limit=limit)
            else:
                report = _check_own(target, dtype, time_limit, full=full, seed=seed)
        except KeyboardInterrupt:
            console.print_error("interrupted")
            raise typer.Exit(130) from None
    report = replace(report, details={"seed": seed, **report.details})
    if as_json:
        console.print_json(report.to_dict())
    else:
        console.out().print(report)
    if not report.right:
        raise typer.Exit(1)


def _check_own(target: str, dtype: Floats | None, time_limit: float | None, *, full: bool, seed: int) -> Report:
    """Check something of the package."""
    from whygrad.losses.registry import LOSSES  # noqa: PLC0415
    from whygrad.models import MODELS  # noqa: PLC0415
    from whygrad.ops.registry import OPERATIONS  # noqa: PLC0415

    if (Path(target) / "config.json").is_file():
        _refuse(target, "the run", dtype=dtype, time_limit=time_limit)
        return _check_run(Path(target), full=full, seed=seed)
    known = {"model": list(MODELS), "operation": list(OPERATIONS), "loss": list(LOSSES)}
    kind = next((kind for kind, names in known.items() if target in names), None)
    if kind is None:
        raise _unknown(target, known)
    _refuse(target, f"the {kind}", time_limit=time_limit)
    if kind == "model":
        _refuse(target, "the model", dtype=dtype)
        return _check_model(target, full=full, seed=seed)
    check_one = _check_operation if kind == "operation" else _check_loss
    return check_one(target, dtype or "float64", full=full, seed=seed)


def _refuse(target: str, what: str, **options: object) -> None:
    """Refuse options that would change nothing."""
    for name, value in options.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            meant = "an operation or a loss" if name == "dtype" else "a file"
            raise OptionError(option, f"it with {meant}", f"it with {what} {target}", "leave it out")


def _unknown(target: str, known: dict[str, list[str]]) -> OptionError:
    names = [name for group in known.values() for name in group]
    plurals = {"model": "models", "operation": "operations", "loss": "losses"}
    listed = "; ".join(f"{plurals[kind]} {', '.join(group)}" for kind, group in known.items())
    close = difflib.get_close_matches(target.lower(), names, n=3)
    if Path(f"{target}.py").is_file():
        remedy = f"for your file write {target}.py"
    elif close:
        remedy = f"did you mean {' or '.join(close)}?"
    else:
        remedy = "check the spelling; a file's name ends in .py"
    return OptionError("target", f"a Python file or one of: {listed}", repr(target), remedy)


def _check_file(path: Path, names: tuple[str, ...] | None, *, full: bool, seed: int, time_limit: float) -> Report:
    from whygrad.checking import check_gradient  # noqa: PLC0415
    from whygrad.checking.time_limit import Limited  # noqa: PLC0415
    from whygrad.checking.user_file import load_user_file  # noqa: PLC0415

    # As for python FILE: its folder is there for what its functions import when they are called.
    sys.path.insert(0, str(path.resolve().parent))
    limited = Limited(time_limit)
    user = limited.run(lambda: limited.wrap(path.name, load_user_file)(path, names, seed=seed))
    options: dict[str, Any] = {"seed": seed, "full": full or None, "time_limit": time_limit, **user.options}
    with _progress() as progress:
        return check_gradient(user.f, user.backward, user.inputs, progress=progress, **options)


def _check_operation(name: str, dtype: Floats, *, full: bool, seed: int) -> Report:
    from whygrad.checking import check_op  # noqa: PLC0415
    from whygrad.ops.registry import operation  # noqa: PLC0415

    def rehearse() -> None:
        entry = operation(name)
        for sample in entry.samples(np.random.default_rng(seed)):
            for real in {dtype, "float64"}:  # which the other is compared with
                arrays = {key: array.astype(real) for key, array in sample.inputs.items()}
                y, pullback = entry.run(sample, arrays)
                pullback(np.ones_like(y))

    compile_for(rehearse)
    return check_op(name, seed=seed, dtype=dtype, full=full or None)


def _check_loss(name: str, dtype: Floats, *, full: bool, seed: int) -> Report:
    from whygrad.checking import check_loss  # noqa: PLC0415
    from whygrad.losses.registry import loss  # noqa: PLC0415

    def rehearse() -> None:
        entry = loss(name)
        for sample in entry.samples(np.random.default_rng(seed)):
            for real in {dtype, "float64"}:
                entry.function(sample.prediction.astype(real), sample.target, **sample.options)

    compile_for(rehearse)
    return check_loss(name, seed=seed, dtype=dtype, full=full or None)


def _check_model(name: str, *, full: bool, seed: int) -> Report:
    from whygrad.checking import JITTER, check_model  # noqa: PLC0415
    from whygrad.losses import cross_entropy  # noqa: PLC0415
    from whygrad.models import MODELS  # noqa: PLC0415

    model, rng = MODELS[name](), np.random.default_rng(seed)
    params = model.init(rng, np.float64)
    x, target = _images(model, rng)

    compile_for(lambda: rehearse_check(model, params, x, target, cross_entropy))
    with _progress() as progress:
        report = check_model(model, params, x, target, seed=seed, full=full, jitter=JITTER, progress=progress)
    return replace(report, subject=name)


def _check_run(path: Path, *, full: bool, seed: int) -> Report:
    """Check a trained network on a few of its own training images, a little beside where training left it."""
    from whygrad.checking import JITTER, check_model  # noqa: PLC0415
    from whygrad.cli.loading import showing_progress  # noqa: PLC0415
    from whygrad.training import Run  # noqa: PLC0415

    run = Run(path)
    with showing_progress() as loading:
        experiment = run.experiment(progress=loading)
    model, loss, data = experiment.model, experiment.loss, experiment.train
    params = {name: array.astype(np.float64) for name, array in run.parameters(experiment).items()}
    x, target = data.images[:_IMAGES].astype(np.float64), data.labels[:_IMAGES]
    compile_for(lambda: rehearse_check(model, params, x, target, loss))
    with _progress() as progress:
        report = check_model(
            model, params, x, target, loss=loss, seed=seed, full=full, jitter=JITTER, progress=progress
        )
    return replace(report, subject=str(path))


def _images(model: Sequential, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return a few digits, or random images if the model takes others."""
    from whygrad.data import load_digits  # noqa: PLC0415

    shape = model.input_shape
    assert shape is not None
    digits = load_digits()
    if digits.image_shape == shape:
        return digits.images[:_IMAGES].astype(np.float64), digits.labels[:_IMAGES]
    (classes,) = model.output_shape(shape)
    return rng.normal(size=(_IMAGES, *shape)), rng.integers(0, classes, _IMAGES)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None] | None]:
    """Give a function that shows how far it is; None where nobody is looking."""
    looking = console.progress_console()
    if looking is None:
        yield None
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=looking, transient=True) as bar:
        task = bar.add_task("checking", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)
