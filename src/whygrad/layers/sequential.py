"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError, ShapeError, WhygradError, inside
from whygrad.layers.calls import Call, Done
from whygrad.layers.layer import Layer, LayerResult, Parameter, Row, going_back, prefixed
from whygrad.layers.parts import Parts, html, table
from whygrad.typing import Array, Params, Shape


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    pullbacks: list[Done]  #: first to last
    length: int
    first: str | None  #: the first layer with parameters
    partners: Mapping[str, str]  #: the name of the second of two joined layers, which dy meets first


class Sequential(Layer):
    """A chain: each layer takes what the one before it gives.

    Args:
        layers: layers that are named "0", "1", ... by their place.
        input_shape: shape of one sample, (C, H, W), which the model's table then starts from.
        named: layers with names, after those without.

    Parameters stand under the layer's name, as in PyTorch: ``conv1.weight``.

    Example:
        >>> from whygrad.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU
        >>> model = Sequential(
        ...     conv1=Conv2d(1, 4, 3), relu1=ReLU(), pool1=MaxPool2d(2), flatten=Flatten(), fc1=Linear(36, 10),
        ...     input_shape=(1, 8, 8),
        ... )
        >>> print(model)
        name     layer            output shape  parameters
        conv1    Conv2d(1, 4, 3)  4x6x6                 40
        relu1    ReLU()           4x6x6                  0
        pool1    MaxPool2d(2)     4x3x3                  0
        flatten  Flatten()        36                     0
        fc1      Linear(36, 10)   10                   370
        total                                          410
        >>> params = model.init(np.random.default_rng(0))
        >>> y, pullback, changed = model(params, np.ones((2, 1, 8, 8), np.float32))
        >>> dx, gradients = pullback(np.ones_like(y))
        >>> sorted(gradients)
        ['conv1.bias', 'conv1.weight', 'fc1.bias', 'fc1.weight']
    """

    def __init__(self, *layers: Layer, input_shape: Shape | None = None, **named: Layer) -> None:
        clash = [name for name in named if name in map(str, range(len(layers)))]
        if clash:
            raise OptionError(
                "Sequential", "names unlike those of the unnamed layers", clash[0], "rename the layer"
            )
        self._parts = Parts("Sequential", {str(i): layer for i, layer in enumerate(layers)} | named)
        self._first = next((name for name, layer in self._parts.layers.items() if layer.parameters()), None)
        runs, self._partners = joined(self._parts.layers)
        self._calls = [Call(name, layer, f"{name}.") for name, layer in runs.items()]
        self.input_shape = input_shape

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers by name, in order."""
        return dict(self._parts.layers)

    def parameters(self) -> dict[str, Parameter]:
        return self._parts.parameters

    def output_shape(self, *shapes: Shape) -> Shape:
        self._check_inputs(len(shapes))
        for name, layer in self._parts.layers.items():
            with inside(name):
                shapes = (layer.output_shape(*shapes),)
        return shapes[0]

    def _check_inputs(self, number: int) -> None:
        """Refuse several inputs where there is no first layer to join them."""
        if not number or (number > 1 and not self._parts.layers):
            raise ShapeError("Sequential", "one input", f"{number}", "begin with a layer that joins them")

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        self._check_inputs(len(inputs))
        if engines.current_engine() != "compiled":
            return self._by_layer(params, *inputs, training=training, rng=rng)
        pullbacks: list[Done] = []
        changed: dict[str, Array] = {}
        name, fitted = "", None
        try:
            for call in self._calls:
                name, made = call.name, fitted is not None
                fitted = call.fitted(params, inputs[0], made=made) if len(inputs) == 1 else None
                if fitted is not None:
                    operation, arrays = fitted
                    y, pullback = operation(*arrays)
                    pullbacks.append((name, pullback, call.parameters))
                else:
                    own = self._parts.own(params, name)
                    y, back, now = call.layer(own, *inputs, training=training, rng=rng)
                    pullbacks.append((name, back, None))
                    changed.update(prefixed(name, now))
                inputs = (y,)
        except WhygradError as error:
            if name in self._partners:
                self._explain((name, self._partners[name]), params, inputs, training)
            error.path.insert(0, name)
            raise
        saved = Saved(pullbacks, len(pullbacks), self._first, self._partners)
        return inputs[0], partial(sequential_backward, saved), changed

    def _by_layer(
        self, params: Params, *inputs: Array, training: bool, rng: np.random.Generator | None
    ) -> LayerResult:
        """Call layer by layer, none joined."""
        pullbacks: list[Done] = []
        changed: dict[str, Array] = {}
        for name, layer in self._parts.layers.items():
            with inside(name):
                y, pullback, now = layer(self._parts.own(params, name), *inputs, training=training, rng=rng)
            inputs = (y,)
            pullbacks.append((name, pullback, None))
            changed.update(prefixed(name, now))
        saved = Saved(pullbacks, len(pullbacks), self._first, {})
        return inputs[0], partial(sequential_backward, saved), changed

    def _explain(self, names: Iterable[str], params: Params, inputs: tuple[Any, ...], training: bool) -> None:
        """Call joined layers one by one, so that the one at fault says so under its own name."""
        for name in names:
            with inside(name):
                inputs = (self._parts.layers[name](self._parts.own(params, name), *inputs, training=training)[0],)

    def rows(self, name: str, *shapes: Shape | None) -> list[Row]:
        rows: list[Row] = []
        shape = shapes[0] if shapes else self.input_shape
        for part, layer in self._parts.layers.items():
            with inside(part):
                rows += layer.rows(f"{name}.{part}" if name else part, shape)
                shape = None if shape is None else layer.output_shape(shape)
        return rows

    def __repr__(self) -> str:
        return f"Sequential({', '.join(self._parts.layers)})"

    def __str__(self) -> str:
        """Return the model's table: layers, output shapes and parameter counts."""
        return table(self.rows("", self.input_shape))

    def _repr_html_(self) -> str:
        return html(self, *([] if self.input_shape is None else [self.input_shape]))


_ALL: dict[str, bool] = {}
_LEAVE_OUT = {"input_gradient": False}


def joined(layers: Mapping[str, Layer]) -> tuple[dict[str, Layer], dict[str, str]]:
    """Join what can be joined of a chain, from its beginning on, a ReLU rather with what stands before it.

    Returns:
        The calls to be made, each under the name of its (first) layer, and the names of second layers by those of
        the first.

    Example:
        >>> from whygrad.layers import Conv2d, MaxPool2d, ReLU
        >>> joined({"conv1": Conv2d(1, 4, 3), "relu1": ReLU(), "pool1": MaxPool2d(2)})[1]
        {'relu1': 'pool1'}
    """
    runs: dict[str, Layer] = {}
    partners: dict[str, str] = {}
    free = ""  # the last call's name, if it is of one layer
    for name, layer in layers.items():
        both = runs[free].joined(layer) if free else None
        if both is None:
            runs[name], free = layer, name
        else:
            runs[free], partners[free], free = both, name, ""
    return runs, partners


def sequential_backward(
    saved: Saved, dy: Any, *, release: bool = False, input_gradient: bool = True
) -> tuple[Any, dict[str, Array]]:
    """Carry dy back through the layers, last first: the chain rule, one factor after the other.

    Without ``input_gradient`` the way ends at the first layer with parameters.
    """
    gradients: dict[str, Array] = {}
    last, name = None if input_gradient else saved.first, ""
    backwards = going_back(saved.pullbacks, saved.length, release=release)
    try:
        for name, pullback, parameters in backwards:
            options = _LEAVE_OUT if name == last else _ALL
            if parameters is None:
                dy, own = pullback(dy, release=release, **options)
                gradients.update(prefixed(name, own))
            elif parameters:
                dy, *own = pullback(dy, **options)
                gradients.update(zip(parameters, own, strict=False))  # after the last one None for a bias
            else:
                dy = pullback(dy)
            if name == last:
                break
    except WhygradError as error:
        error.path.insert(0, saved.partners.get(name, name))
        raise
    return dy if input_gradient else None, gradients
