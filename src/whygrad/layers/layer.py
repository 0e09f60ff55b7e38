"""What a layer is: hyper-parameters, the shapes of its parameters, and a call to its operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from whygrad.errors import OptionError, ShapeError
from whygrad.initializers import Initializer
from whygrad.typing import Array, Params, Pullback, Shape

T = TypeVar("T")


class LayerPullback(Protocol):
    """Carries dy back through a layer: to its inputs and to its parameters."""

    def __call__(
        self, dy: Any, /, *, release: bool = False, input_gradient: bool = True
    ) -> tuple[Any, dict[str, Array]]:
        """Return (dx, gradients by parameter name); dx is a tuple for a layer of several inputs.

        With ``release`` a composed layer drops what it saved as soon as it has been used, which halves the
        memory of a training step; the pullback cannot be called again after that. Without ``input_gradient``
        dx may be None where that saves work: training does not ask how to change its images.
        """


#: An operation on an input and parameters that are known to fit, and its pullback.
Fitted = Callable[..., tuple[Array, Pullback]]
#: A layer's value, its pullback, and the running statistics that changed (often none).
LayerResult = tuple[Any, LayerPullback, dict[str, Array]]


class Parameter(NamedTuple):
    """The shape of a parameter and how it starts."""

    shape: Shape
    initializer: Initializer
    trained: bool = True  #: False for running statistics


class Row(NamedTuple):
    """One line of a model's table."""

    name: str
    layer: str
    output_shape: Shape | None  #: without the batch axis; None if the input's shape is not known
    parameters: int


class Layer:
    """Base of all layers. A layer is immutable and holds no arrays: parameters are passed to every call."""

    def parameters(self) -> dict[str, Parameter]:
        """Return the layer's parameters and running statistics by name."""
        return {}

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of the layer's parameters and running statistics by name."""
        return {name: parameter.shape for name, parameter in self.parameters().items()}

    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]:
        """Return fresh parameters by name, drawn from ``rng``."""
        return {name: p.initializer(rng, p.shape, dtype) for name, p in self.parameters().items()}

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape of one sample's output, given the shapes of its inputs without the batch axis."""
        raise NotImplementedError(type(self).__name__)

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        """Return (y, pullback, changed running statistics)."""
        raise NotImplementedError(type(self).__name__)

    def joined(self, after: Layer) -> Layer | None:
        """Return one layer that does the work of this one and of ``after``, which stands behind it; often None.

        Its parameters are this layer's, and its value and gradients have the same bits as those of the two. It is
        more than a saving of calls: what the first would write, the second need not read again. Only layers
        whose behaviour is known may be joined, no subclasses of them.
        """
        del after
        return None

    def fitted(self, shape: Shape) -> Fitted | None:
        """Return the layer's operation on an input of this shape, batch axis included; often None.

        It is given the input and the parameters in their order: arrays of one float dtype that have the right
        shapes. What a call would ask of them and of the layer's options is asked here, once for many calls. A
        subclass, whose behaviour is not known, has none.
        """
        del shape
        return None

    def __repr__(self) -> str:
        """Show what was asked for, and of the rest what differs from its default."""
        shown = []
        for field in fields(cast(Any, self)):
            value = getattr(self, field.name)
            if field.default is MISSING:
                shown.append(f"{value!r}")
            elif value != field.default:
                shown.append(f"{field.name}={getattr(value, '__name__', repr(value))}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def rows(self, name: str, *shapes: Shape | None) -> list[Row]:
        """Return the lines of a model's table that this layer fills."""
        known = [shape for shape in shapes if shape is not None]
        shape = self.output_shape(*known) if known and len(known) == len(shapes) else None
        return [Row(name, repr(self), shape, count(self))]


class OneInput(Layer):
    """Base of layers of one input."""

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        """Return (y, pullback, changed running statistics)."""
        return self.forward(take(params, self), self.only(inputs), training=training, rng=rng)

    def only(self, inputs: tuple[Array, ...]) -> Array:
        """Return the one input, refusing several."""
        if len(inputs) != 1:
            raise ShapeError(type(self).__name__, "one input", f"{len(inputs)}", "join them with Add or Concat")
        return inputs[0]

    def forward(self, own: Params, x: Array, *, training: bool, rng: np.random.Generator | None) -> LayerResult:
        """Call the operation with the layer's own parameters."""
        raise NotImplementedError(type(self).__name__)


class Unary(OneInput):
    """Base of layers of one input without parameters, whose output has the input's shape unless they say so."""

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        """Call the operation."""
        raise NotImplementedError(type(self).__name__)

    def output_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        y, pullback = self.operate(self.only(inputs))
        return y, of_one(pullback), {}


def image_shape(layer: str, shape: Shape, channels: int | None = None) -> tuple[int, int, int]:
    """Return (C, H, W), refusing another rank or, where it is given, another number of channels."""
    if len(shape) != 3:
        remedy = "put the layer before Flatten, or give the model an input_shape of three sizes"
        raise ShapeError(layer, "images of shape (C, H, W)", f"{shape}", remedy)
    if channels is not None and shape[0] != channels:
        remedy = "give the layer the number of channels that the one before it has"
        raise ShapeError(layer, f"{channels} channels", f"{shape[0]}", remedy)
    return shape[0], shape[1], shape[2]


def count(layer: Layer) -> int:
    """Return how many trained numbers a layer has."""
    return sum(int(np.prod(p.shape)) for p in layer.parameters().values() if p.trained)


def by_name(pullback: Pullback, *names: str, skips: bool = False) -> LayerPullback:
    """Return a layer's pullback from its operation's, whose results are dx and then the named gradients.

    ``skips`` says that the operation's pullback takes ``input_gradient=False``.
    """
    return partial(_by_name_backward, pullback, names, skips)


def _by_name_backward(
    pullback: Pullback,
    names: tuple[str, ...],
    skips: bool,
    dy: Array,
    *,
    release: bool = False,
    input_gradient: bool = True,
) -> tuple[Array, dict[str, Array]]:
    del release  # an operation's pullback is dropped by whoever holds it
    dx, *gradients = pullback(dy) if input_gradient or not skips else pullback(dy, input_gradient=False)
    return dx, {name: g for name, g in zip(names, gradients, strict=True) if g is not None}


def of_one(pullback: Pullback) -> LayerPullback:
    """Return a layer's pullback from that of an operation of one input and no parameters."""
    return partial(_of_one_backward, pullback)


def _of_one_backward(
    pullback: Pullback, dy: Array, *, release: bool = False, input_gradient: bool = True
) -> tuple[Array, dict[str, Array]]:
    del release, input_gradient
    return pullback(dy), {}


def of_inputs(pullback: Pullback) -> LayerPullback:
    """Return a layer's pullback from that of an operation of several inputs and no parameters."""
    return partial(_of_inputs_backward, pullback)


def _of_inputs_backward(
    pullback: Pullback, dy: Array, *, release: bool = False, input_gradient: bool = True
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    del release, input_gradient
    return pullback(dy), {}


def take(params: Params, layer: Layer, prefix: str = "") -> dict[str, Array]:
    """Return the parameters of ``layer``, which stand in ``params`` under ``prefix``."""
    own = {}
    for name, shape in layer.shapes.items():
        array = params.get(prefix + name)
        if array is None:
            remedy = "create them with model.init(rng), or load a file of the same architecture"
            raise OptionError("parameters", f"an entry {prefix + name!r}", "none", remedy)
        if array.shape != shape:
            remedy = "create parameters with model.init(rng), or load a file of the same architecture"
            raise ShapeError("parameters", f"{prefix + name} of shape {shape}", f"{array.shape}", remedy)
        own[name] = array
    return own


def prefixed(prefix: str, arrays: Mapping[str, T]) -> dict[str, T]:
    """Return what is named ``name`` under ``prefix.name``."""
    if not arrays:
        return {}
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def going_back(saved: list[Any], saved_at_first: int, *, release: bool) -> Iterator[Any]:
    """Give what a forward pass saved, last first; with ``release`` forget each before giving the next."""
    if len(saved) != saved_at_first:
        remedy = "call it with release=False, or run the forward pass again"
        raise OptionError("pullback", "what the forward pass saved", "a pullback that was released", remedy)
    return _popped(saved if release else saved.copy())


def _popped(remaining: list[Any]) -> Iterator[Any]:
    while remaining:
        yield remaining.pop()
