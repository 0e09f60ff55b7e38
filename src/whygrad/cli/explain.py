"""``whygrad explain``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import typer

from whygrad.cli import console
from whygrad.cli.compiling import compile_for
from whygrad.data import looks_inverted, normalise, read_images
from whygrad.errors import FileError, OptionError
from whygrad.explanation import Explainer, Explanation
from whygrad.explanation import explain as explain_model
from whygrad.layers import Layer
from whygrad.optim import Optimizer
from whygrad.training import Run, probabilities
from whygrad.typing import Array

_RUNS = Path("runs")
Convention = Literal["gradient", "hertz"]


class _Subject(NamedTuple):
    """A network and an image for it."""

    title: str
    model: Layer
    params: dict[str, Array]
    image: Array  #: (1, C, H, W)
    label: int
    optimizer: Optimizer | None


def explain(
    run: Annotated[
        Path | None,
        typer.Argument(help="Directory of a run; the newest in runs/, or a fresh network, if left out."),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="A parameter's gradient, as conv1.weight[0,0,1,1].")] = None,
    activation: Annotated[str | None, typer.Option(help="A layer's value, as pool1[0,0,1,1].")] = None,
    delta: Annotated[str | None, typer.Option(help="The gradient at a layer's value, as conv1[0,0,2,3].")] = None,
    update: Annotated[str | None, typer.Option(help="A parameter after the optimiser's next step.")] = None,
    image: Annotated[str, typer.Option(help="The number of a test image, or a PNG, JPEG or .npy file.")] = "0",
    label: Annotated[
        int | None, typer.Option(help="The right class of a file's image; the predicted one if left out.", min=0)
    ] = None,
    convention: Annotated[Convention, typer.Option(help="δ = ∂E/∂z, or −∂E/∂z as Hertz et al.")] = "gradient",
    latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX document.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page that shows the whole network.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable explanation.")] = False,
) -> None:
    """Show where a number of a network comes from: formula, numbers, sum, and its finite difference.

    Exit code 0: the numbers agree; 1: they do not.

    Example: `whygrad explain runs/digits-1 --weight "conv1.weight[0,0,1,1]" --image 3`
    """
    asked = {"parameter": weight, "activation": activation, "delta": delta, "update": update}
    chosen = [(kind, text) for kind, text in asked.items() if text is not None]
    if len(chosen) > 1:
        expected = "one of --weight, --activation, --delta and --update"
        raise OptionError("explain", expected, f"{len(chosen)} of them", "ask for one number at a time")
    if latex and as_json:
        raise OptionError("explain", "--latex or --json", "both", "leave one out")
    subject = _subject(run, image, label)

    def begin() -> Explainer:
        return explain_model(
            subject.model, subject.params, subject.image, np.array([subject.label]), convention=convention
        )

    compile_for(begin)
    explainer = begin()
    if html is not None:
        _write_page(explainer, html, subject.title)
        if not chosen and not latex and not as_json:
            return
    kind, text = chosen[0] if chosen else ("parameter", _loudest(explainer))
    options = {"optimizer": _optimizer(subject)} if kind == "update" else {}
    explanation = explainer.ask(kind, text, **options)
    _show(explanation, subject.title, latex=latex, as_json=as_json)
    if not explanation.agrees:
        raise typer.Exit(1)


def _show(explanation: Explanation, title: str, *, latex: bool, as_json: bool) -> None:
    if as_json:
        console.print_json({"of": title, **explanation.to_dict()})
    elif latex:
        console.out().print(explanation.latex(), markup=False, soft_wrap=True, end="")
    else:
        shown = console.out()
        shown.print(f"[dim]{console.plain(title)}[/]")
        shown.print(explanation)


def _write_page(explainer: Explainer, path: Path, title: str) -> None:
    from whygrad.explanation.page import write_page  # noqa: PLC0415  (only here)

    written = write_page(explainer.trace, path, title="How this network learns", subtitle=title)
    if written.left_out:
        omitted = ", ".join(written.left_out)
        console.print_error(f"{path}: the network is too large for one page; left out: {omitted}")
    console.out().print(f"wrote {console.plain(path)}")


def _subject(run: Path | None, image: str, label: int | None) -> _Subject:
    """Return the network and image to be explained: of a run, or fresh."""
    path = _newest() if run is None else run
    if path is None:
        return _fresh(image, label)
    opened = Run(path)
    experiment = opened.experiment()
    params = opened.parameters(experiment)
    pixels, right, name = _image(experiment.test, experiment.model, params, image, label, opened)
    title = f"{path}, {name}"
    return _Subject(title, experiment.model, params, pixels, right, experiment.optimizer)


def _newest() -> Path | None:
    """Return the newest finished run below runs/, if there is one."""
    with suppress(OSError):
        finished = [path.parent for path in _RUNS.glob("*/model.safetensors")]
        return max(finished, key=lambda path: (path / "model.safetensors").stat().st_mtime, default=None)
    return None


def _fresh(image: str, label: int | None) -> _Subject:
    from whygrad.data import load_digits  # noqa: PLC0415
    from whygrad.models import digits_cnn  # noqa: PLC0415
    from whygrad.optim import SGD  # noqa: PLC0415

    model = digits_cnn()
    params = model.init(np.random.default_rng(0))
    pixels, right, name = _image(load_digits(), model, params, image, label)
    return _Subject(f"a fresh digits_cnn, {name}", model, params, pixels, right, SGD(0.1, momentum=0.9))


def _image(
    data: Any, model: Layer, params: Any, image: str, label: int | None, run: Run | None = None
) -> tuple[Array, int, str]:
    """Return an image, its class, and what to call it."""
    if image.lstrip("-").isdigit():
        number = int(image)
        if not 0 <= number < len(data.labels):
            expected = f"the number of a test image, 0 to {len(data.labels) - 1}"
            raise OptionError("--image", expected, image, "choose another")
        if label is not None:
            raise OptionError("--label", "it with the file of an image", f"it with image {image}", "leave it out")
        right = int(data.labels[number])
        return data.images[number : number + 1], right, f"test image {image}, a {data.classes[right]}"
    path = Path(image)
    pixels = read_images(path, data.image_shape, "stretch" if run is None else run.recipe.request.resizing)
    if len(pixels) != 1:
        raise FileError(image, "one image", f"{len(pixels)}", "save one of them by itself")
    if looks_inverted(pixels) and (run is None or run.recipe.request.named):
        console.print_error(f"{path}: dark on light, the training images are light on dark; it is inverted")
        pixels = 1 - pixels
    scale = None if run is None or run.facts is None else run.facts.scale
    if scale is not None:
        pixels = normalise(pixels, *scale)
    row = probabilities(model, params, pixels)[0]
    if label is not None and label >= len(data.classes):
        raise OptionError("--label", f"a class from 0 to {len(data.classes) - 1}", str(label), "choose another")
    right = int(row.argmax()) if label is None else label
    said = "predicted to be" if label is None else "which is"
    return pixels, right, f"{image}, {said} a {data.classes[right]}"


def _loudest(explainer: Explainer) -> str:
    """Return the entry of the first kernel whose gradient is largest."""
    gradients = explainer.trace.gradients
    trained = [name for name in explainer.trace.params if name in gradients]
    name = next((name for name in trained if gradients[name].ndim == 4), trained[0])
    at = np.unravel_index(int(np.abs(gradients[name]).argmax()), gradients[name].shape)
    return f"{name}[{','.join(str(int(i)) for i in at)}]"


def _optimizer(subject: _Subject) -> Optimizer:
    assert subject.optimizer is not None
    return subject.optimizer
