"""The commands of ``whygrad`` and what all of them have in common."""

from __future__ import annotations

import atexit
import io
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from whygrad.cli import console
from whygrad.cli.check import check
from whygrad.cli.diagnose import diagnose
from whygrad.cli.evaluate import evaluate
from whygrad.cli.explain import explain
from whygrad.cli.export import export
from whygrad.cli.info import info
from whygrad.cli.predict import predict
from whygrad.cli.report import report
from whygrad.cli.train import train
from whygrad.cli.verify import verify
from whygrad.cli.warmup import warmup
from whygrad.errors import OptionError, WhygradError
from whygrad.version import __version__

USAGE, FAILURE, INTERRUPTED = 2, 1, 130

# Typer brings its own copy of the classes that its errors descend from; they are reached from one that it names.
_UsageError: Any = typer.BadParameter.__mro__[1]
_CommandLineError: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="whygrad",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train a convolutional network whose every gradient is derived by hand and checked.",
)
app.command()(train)
app.command()(predict)
app.command()(evaluate)
app.command()(info)
app.command()(check)
app.command()(report)
app.command()(explain)
app.command()(verify)
app.command()(diagnose)
app.command()(export)
app.command()(warmup)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"whygrad {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Errors are one line on standard error, never a traceback.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
            atexit.register(nowhere.close)
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):  # what a terminal's alphabet lacks is shown as a question mark
            stream.reconfigure(errors="replace")
    _announce_on_terminals()
    sys.exit(_run(arguments))


def _announce_on_terminals() -> None:
    """Show what the package logs, such as that it compiles kernels, where somebody is looking."""
    log = logging.getLogger("whygrad")
    looking = sys.stderr.isatty()
    handler = logging.StreamHandler() if looking else logging.NullHandler()
    handler.setFormatter(logging.Formatter("whygrad: %(message)s"))
    log.addHandler(handler)
    log.propagate = False


def _run(arguments: list[str] | None) -> int:  # noqa: PLR0911 - one for each way to end
    try:
        result = app(args=arguments, prog_name="whygrad", standalone_mode=False)
        sys.stdout.flush()
    except OptionError as error:
        console.print_error(str(error))
        return USAGE
    except WhygradError as error:
        console.print_error(str(error))
        return FAILURE
    except _CommandLineError as error:
        usage = isinstance(error, _UsageError)
        message = error.format_message()
        console.print_error(f"{message} See whygrad --help." if usage else message)
        return USAGE if usage else FAILURE
    except (KeyboardInterrupt, typer.Abort):
        console.print_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader, head for example, has seen enough
        _silence_output()
        return 0
    except OSError as error:
        _silence_output()
        place = f"{error.filename}: " if error.filename else ""
        console.print_error(f"{place}expected access to a file, received {error.strerror or error}; check the path")
        return FAILURE
    except MemoryError:
        console.print_error("memory: expected enough, received too little; use a smaller batch or smaller images")
        return FAILURE
    return result if isinstance(result, int) else 0


def _silence_output() -> None:
    """Send what is still to be written nowhere, so that the interpreter can exit in peace."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
