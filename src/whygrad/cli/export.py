"""``whygrad export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli import console
from whygrad.errors import OptionError
from whygrad.interop.onnx import save_onnx
from whygrad.training import Run


def export(
    run: Annotated[Path, typer.Argument(help="Directory of the run.")],
    file: Annotated[Path, typer.Argument(help="The file to write, such as model.onnx.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable result.")] = False,
) -> None:
    """Write the network of a run as an ONNX file, which other programs run.

    It takes batches of any size of what the run was trained on, float32 of shape (N, C, H, W), and gives scores,
    the names of whose classes stand in the file's metadata. Needs: `pip install 'whygrad[onnx]'`.

    Example: `whygrad export runs/digits-1 model.onnx`
    """
    if file.suffix != ".onnx":
        raise OptionError("export", "a file that ends in .onnx", f"{file.name!r}", "change its name")
    opened = Run(run)
    experiment = opened.experiment()
    params = opened.parameters(experiment)
    classes, shape = experiment.train.classes, experiment.train.image_shape
    metadata = {"classes": json.dumps(list(classes)), "run": run.name}
    save_onnx(file, experiment.model, params, input_shapes=shape, metadata=metadata)
    size = file.stat().st_size
    if as_json:
        console.print_json(
            {"file": str(file), "bytes": size, "input_shape": ["N", *shape], "classes": list(classes)}
        )
        return
    pixels = "x".join(map(str, shape))
    console.out().print(
        f"wrote {console.plain(str(file))} ({size:,} bytes): batches of {pixels} to {len(classes)} scores"
    )
