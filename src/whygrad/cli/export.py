"""``whygrad export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli import console
from whygrad.errors import OptionError
from whygrad.interop.onnx import save_onnx
from whygrad.layers import Scale, Sequential
from whygrad.training import Run
from whygrad.typing import Array


def export(
    run: Annotated[Path, typer.Argument(help="Directory of the run.")],
    file: Annotated[Path, typer.Argument(help="The file to write, such as model.onnx.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable result.")] = False,
) -> None:
    """Write the network of a run as an ONNX file, which other programs run.

    It takes batches of any size of images, float32 of shape (N, C, H, W) from 0 to 1, and gives scores. What the
    training images were normalised with is part of it, and the names of the classes stand in its metadata. Needs:
    `pip install 'whygrad[onnx]'`.

    Example: `whygrad export runs/digits-1 model.onnx`
    """
    if file.suffix != ".onnx":
        raise OptionError("export", "a file that ends in .onnx", f"{file.name!r}", "change its name")
    opened = Run(run)
    plan = opened.plan()
    params = opened.parameters(plan)
    classes, shape = plan.facts.classes, plan.facts.image_shape
    model, params = _for_pixels(plan.model, params, plan.facts.scale)
    metadata = {"classes": json.dumps(list(classes)), "run": run.name}
    save_onnx(file, model, params, input_shapes=shape, metadata=metadata)
    size = file.stat().st_size
    if as_json:
        written = {"file": str(file), "bytes": size, "input_shape": ["N", *shape], "classes": list(classes)}
        console.print_json(written)
        return
    pixels = "x".join(map(str, shape))
    console.out().print(
        f"wrote {console.plain(str(file))} ({size:,} bytes): batches of {pixels} to {len(classes)} scores"
    )


def _for_pixels(
    model: Sequential, params: dict[str, Array], scale: tuple[Array, Array] | None
) -> tuple[Sequential, dict[str, Array]]:
    """Return the network with the normalisation of its training images as a first layer."""
    if scale is None:
        return model, params
    mean, deviation = (array[:, None, None] for array in scale)
    kind = next(iter(params.values())).dtype
    own = {"normalise.weight": (1 / deviation).astype(kind), "normalise.bias": (-mean / deviation).astype(kind)}
    first = Scale(mean.shape, trained=())
    return Sequential(normalise=first, **model.layers, input_shape=model.input_shape), {**own, **params}
