"""``whygrad diagnose``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whygrad.cli import console
from whygrad.errors import OptionError, WhygradError

if TYPE_CHECKING:
    from whygrad.diagnosis.report import Diagnosis

#: Exit codes: something is wrong and its cause is known; it is not; nothing could be asked.
FOUND, UNKNOWN, USAGE = 1, 3, 2


def _template(wanted: bool) -> None:
    if wanted:
        from whygrad.diagnosis.training.files import template  # noqa: PLC0415

        sys.stdout.write(template())
        raise typer.Exit


def diagnose(
    target: Annotated[
        str,
        typer.Argument(
            help="Your FILE.py or FILE.py:FORWARD,BACKWARD, which is executed; or a dump: .npz, .mat, .json."
        ),
    ],
    op: Annotated[str | None, typer.Option(help="The operation; else what the file says as op.")] = None,
    stride: Annotated[
        int | None, typer.Option(help="The stride, where the code works for one only.", min=1)
    ] = None,
    padding: Annotated[int | None, typer.Option(help="The padding, likewise.", min=0)] = None,
    kernel_size: Annotated[int | None, typer.Option(help="Of a pooling.", min=1)] = None,
    layout: Annotated[str | None, typer.Option(help="NHWC and the like; found out where it can be.")] = None,
    weights: Annotated[str | None, typer.Option(help="HWIO and the like; IO or OI for dense layers.")] = None,
    seed: Annotated[int, typer.Option(help="Of the inputs.", min=0)] = 0,
    time_limit: Annotated[
        float, typer.Option(help="Seconds that one call of a file's function may take.", min=0.1)
    ] = 10.0,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Of a training: go on after the first certain cause.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(help="Of a training: what all of it may take; 15 if left out.", min=1.0)
    ] = None,
    template: Annotated[
        bool,
        typer.Option("--template", callback=_template, is_eager=True, help="Print a training to be filled in."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable diagnosis.")] = False,
) -> None:
    """Name the bug in a backward pass: what was done wrong, and how to mend it.

    A Python file is executed, in a process of its own: read files of strangers first.

    Exit code 0: healthy; 1: a bug was found; 2: there is nothing to judge, such as a file that cannot be read; 3:
    something is wrong, and the cause is not known.

    A file with params, loss, learning_rate, and gradients or step is a training: it is said why it does not learn.

    Example: `whygrad diagnose my_layer.py --op conv2d`
    """
    del template
    options = {
        "op": op,
        "stride": stride,
        "padding": padding,
        "kernel_size": kernel_size,
        "layout": layout,
        "weights": weights,
    }
    training = {"seconds": seconds, "thorough": thorough or None}
    try:
        found = _diagnosed(target, _given(options), _given(training), seed, time_limit)
    except WhygradError as error:  # 1 is for bugs that were found
        console.print_error(str(error))
        raise typer.Exit(USAGE) from None
    if as_json:
        console.print_json(found.to_dict())
    else:
        console.out().print(found)
    if not found.healthy:
        raise typer.Exit(UNKNOWN if found.cause is None else FOUND)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _diagnosed(
    target: str, options: dict[str, Any], training: dict[str, Any], seed: int, time_limit: float
) -> Diagnosis:
    from whygrad.checking.user_file import parse_target  # noqa: PLC0415  (other commands do without)
    from whygrad.diagnosis.arrays import diagnose_arrays  # noqa: PLC0415
    from whygrad.diagnosis.dumps import SUFFIXES, load_dump  # noqa: PLC0415
    from whygrad.diagnosis.user_files import diagnose_file  # noqa: PLC0415

    file = parse_target(target)
    if file is not None:
        path, names = file
        return diagnose_file(path, names, time_limit=time_limit, seed=seed, **options, **training)
    if Path(target).suffix.lower() not in SUFFIXES:
        raise OptionError(
            "target", f"a Python file or a dump ({', '.join(SUFFIXES)})", repr(target), "check the path"
        )
    content = {**load_dump(target), **options}
    op = content.pop("op", None)
    if op is None:
        raise OptionError(
            target, "the operation, op", "none", 'say --op conv2d, or save op="conv2d" with the arrays'
        )
    return diagnose_arrays(str(op), **content)
