"""The command line."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from threadpoolctl import threadpool_limits

from benchmarks import accuracy as accuracy_command
from benchmarks import check as check_command
from benchmarks import diagnose as diagnose_command
from benchmarks import inference as inference_command
from benchmarks import layers as layers_command
from benchmarks import machine
from benchmarks import memory as memory_command
from benchmarks import recipes as recipes_command
from benchmarks import start as start_command
from benchmarks import train as train_command
from benchmarks import training as training_command
from benchmarks import watch as watch_command
from benchmarks.idx import DataFileError, read_mnist
from benchmarks.networks import MODELS, NETWORKS, Network
from benchmarks.processes import ChildError
from benchmarks.report import Report
from benchmarks.settings import Settings
from benchmarks.training_faults.registry import scenarios
from whygrad.errors import WhygradError

USAGE, FAILURE, INTERRUPTED = 2, 1, 130

# Typer brings its own copy of the classes that its errors descend from; they are reached from one that it names.
_UsageError: Any = typer.BadParameter.__mro__[1]
_CommandLineError: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="benchmarks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Compare whygrad with PyTorch on the CPU: by turns in one process, with the same number of threads.",
)

Threads = Annotated[int | None, typer.Option(min=1, max=1024, help="Threads of both sides; all cores if left out.")]
Rounds = Annotated[int | None, typer.Option(min=1, max=10_000, help="Pairs that are measured.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer and shorter rounds.")]
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write all numbers; - for standard output.")
]
Torch = Annotated[bool, typer.Option("--torch/--no-torch", help="Measure PyTorch as well.")]
Compile = Annotated[bool, typer.Option("--compile/--no-compile", help="Try torch.compile for PyTorch's side.")]
Chosen = Annotated[
    list[str] | None,
    typer.Option(
        "--network", help=f"One of {', '.join(n.key for n in NETWORKS)}; may be repeated. All if left out."
    ),
]


def _prepare(
    command: str,
    threads: int | None,
    rounds: tuple[int | None, int, int],
    quick: bool,
    json: str | None,
    torch: bool,
    compile_: bool = False,
) -> tuple[Settings, Report]:
    """Return the settings and an empty report; ``rounds`` are the wanted, the usual and the quick ones."""
    wanted, usual, few = rounds
    if json not in (None, "-") and not Path(json or "").absolute().parent.is_dir():
        raise typer.BadParameter(f"expected a file in an existing folder, received {json}", param_hint="--json")
    used = threads or machine.cores()
    settings = Settings(used, wanted or (few if quick else usual), torch and machine.has_torch(), compile_, quick)
    report = Report(command, machine.describe(used), json)
    report.content["options"] = {"rounds": settings.rounds, "quick": quick, "torch": settings.torch}
    if torch and not settings.torch:
        report.say("PyTorch is not installed: whygrad is measured alone")
    return settings, report


def _finish(report: Report) -> None:
    report.write()
    if report.failed:
        raise typer.Exit(FAILURE)


def _networks(keys: list[str] | None) -> list[Network]:
    known = {n.key: n for n in NETWORKS}
    for key in keys or ():
        if key not in known:
            raise typer.BadParameter(f"expected one of {', '.join(known)}, received {key}", param_hint="--network")
    return [n for n in NETWORKS if not keys or n.key in keys]


@app.command()
def train(
    network: Chosen = None,
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Quick = False,
    json: Json = None,
    torch: Torch = True,
    compile_: Compile = True,
) -> None:
    """Whole training steps: forward, loss, backward, SGD with momentum 0.9."""
    networks = _networks(network)
    settings, report = _prepare("train", threads, (rounds, 15, 5), quick, json, torch, compile_)
    with machine.using(settings.threads, torch=settings.torch):
        train_command.measure(networks, settings, report)
    _finish(report)


@app.command()
def layers(
    threads: Threads = None, rounds: Rounds = None, quick: Quick = False, json: Json = None, torch: Torch = True
) -> None:
    """Each pass of single convolutions, in GFLOP/s and as a share of what the machine can do."""
    settings, report = _prepare("layers", threads, (rounds, 9, 3), quick, json, torch)
    with machine.using(settings.threads, torch=settings.torch):
        layers_command.measure(settings, report)
    _finish(report)


@app.command()
def inference(
    model: Annotated[
        list[str] | None, typer.Option(help="A ready model; may be repeated. All if left out.")
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Images at once; may be repeated.")] = None,
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Quick = False,
    json: Json = None,
    torch: Torch = True,
    compile_: Compile = True,
) -> None:
    """Predictions of the ready models."""
    names = [name for name, _ in MODELS]
    for name in model or ():
        if name not in names:
            raise typer.BadParameter(f"expected one of {', '.join(names)}, received {name}", param_hint="--model")
    settings, report = _prepare("inference", threads, (rounds, 15, 5), quick, json, torch, compile_)
    with machine.using(settings.threads, torch=settings.torch):
        inference_command.measure(model or names, batch or list(inference_command.BATCHES), settings, report)
    _finish(report)


@app.command()
def check(
    threads: Threads = None, rounds: Rounds = None, quick: Quick = False, json: Json = None, torch: Torch = True
) -> None:
    """Checking the gradients of a convolution, beside torch.autograd.gradcheck."""
    settings, report = _prepare("check", threads, (rounds, 9, 3), quick, json, torch)
    with machine.using(settings.threads, torch=settings.torch):
        check_command.measure(settings, report)
    _finish(report)


@app.command()
def diagnose(
    folder: Annotated[Path, typer.Argument(help="Folder with index.json and code/, whose files are executed.")],
    json: Json = None,
) -> None:
    """How often the cause of a wrong gradient is named, over a folder of cases; their files are executed."""
    _, report = _prepare("diagnose", 1, (None, 1, 1), False, json, False)
    diagnose_command.measure(folder, report)
    _finish(report)


@app.command()
def training(
    kinds: Annotated[
        list[str] | None, typer.Option(help="A kind of fault, or no_bug; may be repeated. All if left out.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Trainings of each kind at most.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the division of the data and the first weights.")] = 0,
    mnist: Annotated[
        Path | None, typer.Option(help="Folder of MNIST's four gzipped IDX files, in place of the digits.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Do not diagnose: train, and tell which fault does which harm.")
    ] = False,
    json: Json = None,
) -> None:
    """How often the cause is named why a training fails, over generated trainings with a fault and without."""
    _, report = _prepare("training", 1, (None, 1, 1), False, json, False)
    report.content["options"] |= {"kinds": kinds, "limit": limit, "seed": seed, "mnist": mnist is not None}
    try:
        chosen = training_command.chosen(list(scenarios(mnist, seed)), kinds or [], limit)
    except ValueError as error:
        known = ", ".join(sorted({s.kind for s in scenarios(mnist, seed)}))
        raise typer.BadParameter(f"expected one of {known}, received {error}", param_hint="--kinds") from None
    with threadpool_limits(1, "blas"):
        (training_command.check if verify else training_command.measure)(chosen, report)
    _finish(report)


@app.command()
def watch(
    network: Annotated[
        list[str] | None,
        typer.Option(
            help=f"One of {', '.join(n.key for n in watch_command.WATCHED)}; may be repeated. All if left out."
        ),
    ] = None,
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Quick = False,
    json: Json = None,
) -> None:
    """What it costs to watch a training."""
    known = {n.key: n for n in watch_command.WATCHED}
    for key in network or ():
        if key not in known:
            raise typer.BadParameter(f"expected one of {', '.join(known)}, received {key}", param_hint="--network")
    settings, report = _prepare("watch", threads, (rounds, 11, 3), quick, json, False)
    with machine.using(settings.threads, torch=False):
        watch_command.measure([n for n in known.values() if not network or n.key in network], settings, report)
    _finish(report)


@app.command()
def start(
    threads: Threads = None, rounds: Rounds = None, quick: Quick = False, json: Json = None, torch: Torch = True
) -> None:
    """Imports, and from the start of Python to the end of a first training step, in fresh processes."""
    settings, report = _prepare("start", threads, (rounds, 9, 3), quick, json, torch)
    start_command.measure(settings, report)
    _finish(report)


@app.command()
def memory(
    network: Chosen = None,
    threads: Threads = None,
    rounds: Rounds = None,
    quick: Quick = False,
    json: Json = None,
    torch: Torch = True,
) -> None:
    """The most memory that training steps hold, each side in fresh processes."""
    networks = _networks(network)
    settings, report = _prepare("memory", threads, (rounds, 3, 1), quick, json, torch)
    memory_command.measure(networks, settings, report)
    _finish(report)


@app.command()
def accuracy(
    data: Annotated[Path, typer.Option(help="Folder of MNIST's four gzipped IDX files.")],
    goal: Annotated[float, typer.Option(min=0.0, max=1.0, help="Test accuracy to reach.")] = 0.99,
    epochs: Annotated[int, typer.Option(min=1, max=1000, help="Passes over the images, at most.")] = 5,
    every: Annotated[int, typer.Option(min=1, help="Steps between evaluations.")] = 100,
    learning_rate: Annotated[
        float, typer.Option(min=1e-6, max=10.0, help="Of SGD with momentum 0.9, the largest of one cycle.")
    ] = 0.03,
    seed: Annotated[int, typer.Option(min=0, help="Of the first weights, the order and dropout.")] = 0,
    threads: Threads = None,
    quick: Quick = False,
    json: Json = None,
    torch: Torch = True,
    compile_: Compile = True,
) -> None:
    """Seconds of training until MNIST's test images are recognised."""
    recipe = accuracy_command.Recipe(goal, epochs, every, learning_rate, seed)
    settings, report = _prepare("accuracy", threads, (None, 1, 1), quick, json, torch, compile_)
    options = {"goal": goal, "epochs": epochs, "learning_rate": learning_rate, "seed": seed, "every": every}
    report.content["options"] |= options
    with machine.using(settings.threads, torch=settings.torch):
        accuracy_command.measure(read_mnist(data), recipe, settings, report)
    _finish(report)


@app.command()
def recipes(
    data: Annotated[list[str] | None, typer.Option(help="mnist or fashion-mnist; may be repeated.")] = None,
    recipe: Annotated[list[str] | None, typer.Option(help="default or best; may be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many, from 0.")] = 5,
    data_dir: Annotated[Path | None, typer.Option(help="Folder with the files of the data set.")] = None,
    into: Annotated[Path, typer.Option(help="Folder for the runs; those that are there are not repeated.")] = Path(
        "runs/recipes"
    ),
    threads: Threads = None,
    json: Json = None,
) -> None:
    """Accuracies and times of the recipes of `whygrad train`, seed by seed."""
    used = threads or machine.cores()
    report = Report("recipes", machine.describe(used), json)
    into.mkdir(parents=True, exist_ok=True)
    for name in data or ("mnist", "fashion-mnist"):
        for each in recipe or ("default", "best"):
            recipes_command.measure(name, each, list(range(seeds)), into, report, data_dir=data_dir, threads=used)
    _finish(report)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        result = app(args=arguments, prog_name="python -m benchmarks", standalone_mode=False)
        sys.stdout.flush()
    except _CommandLineError as error:
        usage = isinstance(error, _UsageError)
        message = error.format_message()
        _say(f"{message} See python -m benchmarks --help." if usage and message else message)
        return USAGE if usage else FAILURE
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DataFileError, ChildError, machine.ThreadsError, WhygradError, OSError) as error:
        _say(str(error))
        return FAILURE
    if result == INTERRUPTED:  # Typer turns the interruption into its exit code
        _say("interrupted")
    return result if isinstance(result, int) else 0


def _say(message: str) -> None:
    if message:
        sys.stderr.write(f"benchmarks: {' '.join(message.split())}\n")
