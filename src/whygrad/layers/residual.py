"""A residual block: a body and a way around it."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError, ShapeError, inside
from whygrad.layers.layer import Layer, LayerPullback, LayerResult, Parameter, Row, going_back, of_one
from whygrad.layers.parts import Parts, html
from whygrad.layers.relu import ReLU
from whygrad.ops.add import add, add_relu
from whygrad.typing import Array, Params, Shape
from whygrad.validation import cotangent

BODY, SHORTCUT, ACTIVATION = "body", "downsample", "activation"


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    pullbacks: list[tuple[LayerPullback, LayerPullback | None, LayerPullback | None]]  #: body, shortcut, activation
    parts: Parts
    shape: Shape  #: of the sum
    dtype: np.dtype[Any]


class Residual(Layer):
    """The sum of a body and a shortcut: y = activation(body(x) + shortcut(x)).

    Args:
        body: the branch that is learned.
        shortcut: the way around it; the identity if None. A 1x1 convolution where shapes change.
        activation: what follows the sum; nothing if None.

    Parameters of the body stand under their own names and those of the shortcut under ``downsample.``, so that a
    network of residual blocks has the names that it has in torchvision.

    Example:
        >>> from whygrad.layers import Conv2d, ReLU, Sequential
        >>> block = Residual(Sequential(conv1=Conv2d(4, 4, 3, padding=1), relu=ReLU()), activation=ReLU())
        >>> sorted(block.parameters())
        ['conv1.bias', 'conv1.weight']

    Source: K. He et al., "Deep residual learning for image recognition" (2015), equations 1 and 2.
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None, activation: Layer | None = None) -> None:
        layers = {BODY: body}
        layers |= {} if shortcut is None else {SHORTCUT: shortcut}
        layers |= {} if activation is None else {ACTIVATION: activation}
        self._parts = Parts("Residual", layers, scopes={BODY: ""})
        clash = [n for n in body.parameters() if n.startswith((f"{SHORTCUT}.", f"{ACTIVATION}."))]
        if clash:
            expected = f"a body without layers named {SHORTCUT} or {ACTIVATION}"
            raise OptionError("Residual", expected, clash[0], "rename the layer of the body")
        self._gated = type(activation) is ReLU  #: whether the sum and its activation can be one call

    def parameters(self) -> dict[str, Parameter]:
        return self._parts.parameters

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        layers = self._parts.layers
        y = layers[BODY].output_shape(shape)
        side = layers[SHORTCUT].output_shape(shape) if SHORTCUT in layers else shape
        if y != side:
            remedy = "give it a shortcut that changes the shape alike, for instance a 1x1 convolution"
            raise ShapeError("Residual", f"a shortcut that ends in {y} as the body does", f"{side}", remedy)
        return layers[ACTIVATION].output_shape(y) if ACTIVATION in layers else y

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        changed: dict[str, Array] = {}

        def run(name: str, *given: Array) -> tuple[Array, LayerPullback | None]:
            layer = self._parts.layers.get(name)
            if layer is None:
                return given[0], None
            with inside(name):
                y, pullback, now = layer(self._parts.own(params, name), *given, training=training, rng=rng)
            changed.update(self._parts.scoped(name, now))
            return y, pullback

        y, body = run(BODY, *inputs)
        side, shortcut = run(SHORTCUT, *inputs)
        if self._gated and engines.current_engine() == "compiled":
            z, gate = add_relu(y, side)
            activation: LayerPullback | None = of_one(gate)
        else:
            z, activation = run(ACTIVATION, add(y, side)[0])
        assert body is not None
        saved = Saved([(body, shortcut, activation)], self._parts, y.shape, y.dtype)
        return z, partial(residual_backward, saved), changed

    def rows(self, name: str, *shapes: Shape | None) -> list[Row]:
        shape = shapes[0] if shapes else None
        dot = f"{name}." if name else ""
        layers = self._parts.layers
        rows = layers[BODY].rows(name, shape)
        if SHORTCUT in layers:
            rows += layers[SHORTCUT].rows(dot + SHORTCUT, shape)
        joined = None if shape is None else layers[BODY].output_shape(shape)
        rows.append(Row(f"{dot}add", "Add()", joined, 0))
        if ACTIVATION in layers:
            rows += layers[ACTIVATION].rows(dot + ACTIVATION, joined)
        return rows

    def __repr__(self) -> str:
        return f"Residual({', '.join(repr(layer) for layer in self._parts.layers.values())})"

    def _repr_html_(self) -> str:
        return html(self)


def residual_backward(
    saved: Saved, dy: Array, *, release: bool = False, input_gradient: bool = True
) -> tuple[Array | None, dict[str, Array]]:
    """Carry dy back along both ways and add up where they parted: dx = dx(body) + dx(shortcut).

    Both ways get one and the same array, since pullbacks write to nothing.
    """
    ((body, shortcut, activation),) = going_back(saved.pullbacks, 1, release=release)
    gradients: dict[str, Array] = {}

    def back(name: str, pullback: LayerPullback | None, given: Array, **options: bool) -> Any:
        if pullback is None:
            return given
        with inside(name):
            dx, own = pullback(given, release=release, **options)
        gradients.update(saved.parts.scoped(name, own))
        return dx

    dy = cotangent("add", back(ACTIVATION, activation, dy), saved.shape, saved.dtype)
    if not input_gradient:
        back(BODY, body, dy, input_gradient=False)
        back(SHORTCUT, shortcut, dy, input_gradient=False)
        return None, gradients
    return add(back(BODY, body, dy), back(SHORTCUT, shortcut, dy))[0], gradients
