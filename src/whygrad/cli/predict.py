"""``whygrad predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from whygrad.cli import console
from whygrad.data import looks_inverted, normalise, read_images
from whygrad.training import Run, probabilities

#: How many classes are shown for an image.
_SHOWN = 3


def predict(
    run: Annotated[Path, typer.Argument(help="Directory of the run.")],
    images: Annotated[list[Path], typer.Argument(help="PNG, JPEG, BMP, WebP or GIF files, or .npy arrays.")],
    invert: Annotated[bool, typer.Option("--invert", help="Swap light and dark first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable result.")] = False,
) -> None:
    """Print what a run makes of images: the most probable classes.

    The drawings of digits and clothes are light on dark; for dark ink on light paper add --invert.

    Example: `whygrad predict runs/digits-1 seven.png --invert`
    """
    opened = Run(run)
    plan = opened.plan()
    params = opened.parameters(plan)
    classes, shape, scale = plan.facts.classes, plan.facts.image_shape, plan.facts.scale
    drawings = shape[0] == 1 and opened.recipe.request.named
    shown = console.out()
    results = []
    for path in images:
        pixels = read_images(path, shape, opened.recipe.request.resizing)
        if drawings and not invert and looks_inverted(pixels):
            console.print_error(f"{path}: dark on light, the training images are light on dark; try --invert")
        seen = 1 - pixels if invert else pixels
        seen = seen if scale is None else normalise(seen, *scale)
        for i, row in enumerate(probabilities(plan.model, params, seen)):
            name = str(path) if len(pixels) == 1 else f"{path}[{i}]"
            best = [int(k) for k in np.argsort(-row, kind="stable")[:_SHOWN]]
            chances = {name: float(p) for name, p in zip(classes, row, strict=True)}
            results.append({"image": name, "class": classes[best[0]], "probabilities": chances})
            if not as_json:
                ranking = "  ".join(f"{classes[k]} {console.percent(float(row[k]))}" for k in best)
                shown.print(f"{console.plain(name)}: [bold]{classes[best[0]]}[/]  ({ranking})")
    if as_json:
        console.print_json({"predictions": results})
