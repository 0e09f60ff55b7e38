"""What layers that are made of layers have in common: names for their parts, and a table."""

from __future__ import annotations

from collections.abc import Mapping

from whygrad import notebook
from whygrad.errors import OptionError, WhygradError
from whygrad.layers.layer import Layer, Parameter, Row, T, count, prefixed
from whygrad.typing import Array, Params, Shape


class Parts:
    """Named layers, and where each finds its parameters.

    Args:
        where: the composing layer, for messages.
        layers: the layers by name, in order.
        scopes: the prefix under which a layer's parameters stand; its own name if it has none here. Two layers
            with one scope share their parameters.
    """

    def __init__(self, where: str, layers: Mapping[str, Layer], scopes: Mapping[str, str] | None = None) -> None:
        self.layers = dict(layers)
        self.scopes = {name: (scopes or {}).get(name, name) for name in layers}
        self.parameters: dict[str, Parameter] = {}
        self._names: dict[str, list[tuple[str, str]]] = {}
        for name, layer in self.layers.items():
            if not isinstance(layer, Layer):
                remedy = "pass layers, not classes or functions: ReLU(), not ReLU"
                raise OptionError(where, f"{name} to be a layer", f"{layer!r}", remedy)
            if not name or "." in name:
                raise OptionError(
                    where, "a name without dots", f"{name!r}", "dots separate the names of nested layers"
                )
            own = layer.parameters()
            scope = f"{self.scopes[name]}." if self.scopes[name] else ""
            self._names[name] = [(short, scope + short) for short in own]
            for full, parameter in self.scoped(name, own).items():
                known = self.parameters.setdefault(full, parameter)
                if known.shape != parameter.shape:
                    expected = f"layers that share {full} to agree on its shape {known.shape}"
                    raise OptionError(where, expected, f"{parameter.shape}", "give one of them a scope of its own")

    def scoped(self, name: str, arrays: Mapping[str, T]) -> dict[str, T]:
        """Return what belongs to the layer ``name`` under the names that the composing layer gives it."""
        scope = self.scopes[name]
        return prefixed(scope, arrays) if scope else dict(arrays)

    def own(self, params: Params, name: str) -> dict[str, Array]:
        """Return the parameters of the layer ``name`` under the names that it gives them itself."""
        try:
            return {own: params[full] for own, full in self._names[name]}
        except KeyError as missing:
            remedy = "create parameters with model.init(rng), or load a file of the same architecture"
            raise OptionError("parameters", f"an entry {missing}", "none", remedy) from None


def table(rows: list[Row]) -> str:
    """Return a model's table as plain text: layers, output shapes and parameter counts."""
    cells = [_TITLES, *_cells(rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return "\n".join(
        f"{name:<{widths[0]}}  {layer:<{widths[1]}}  {shape:<{widths[2]}}  {count:>{widths[3]}}"
        for name, layer, shape, count in cells
    )


def html(model: Layer, *shapes: Shape) -> str:
    """Return a model's table for a notebook, and what is wrong with its shapes if they do not fit.

    Args:
        model: a composed layer.
        shapes: of one sample of its inputs, where they are known.
    """
    wrong = ""
    try:
        rows = model.rows("", *shapes)
    except WhygradError as error:
        wrong = notebook.said(str(error), bold=True)
        rows = _without_shapes(model)
    kind = type(model).__name__
    title = notebook.said(f"{kind}: {count(model):,} parameters", bold=True)
    return notebook.piece(title, wrong, notebook.tall(notebook.table(_TITLES, _cells(rows), numbers=[3])))


def _without_shapes(model: Layer) -> list[Row]:
    """Return the lines of a model whose layers do not fit each other: the layers, or else what has parameters."""
    try:
        return model.rows("", None)
    except WhygradError:
        return [Row(name, "", None, count(part)) for name, part in _parts_of(model) if part.parameters()]


def _parts_of(model: Layer) -> list[tuple[str, Layer]]:
    parts = getattr(model, "_parts", None)
    return list(parts.layers.items()) if isinstance(parts, Parts) else [(type(model).__name__, model)]


_TITLES = ("name", "layer", "output shape", "parameters")


def _cells(rows: list[Row]) -> list[tuple[str, str, str, str]]:
    cells = []
    for row in rows:
        shape = "?" if row.output_shape is None else "x".join(map(str, row.output_shape))
        cells.append((row.name, row.layer, shape, f"{row.parameters:,}"))
    return [*cells, ("total", "", "", f"{sum(row.parameters for row in rows):,}")]
