"""Watching a model at work: what every leaf layer gives and gets, and where numbers stop being finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, TypeGuard, TypeVar

import numpy as np

from whygrad.layers import Graph, Layer, LayerPullback, LayerResult, Node, Parameter, Residual, Sequential
from whygrad.layers.layer import Row
from whygrad.layers.residual import ACTIVATION, BODY, SHORTCUT
from whygrad.typing import Array, Loss, Params, Shape

L = TypeVar("L", bound=Layer)


class Event(NamedTuple):
    """What a leaf layer has just computed."""

    name: str  #: dotted, as in the model's table: "layer1.0.conv1"; empty if the model is itself a leaf
    layer: Layer
    going: Literal["forward", "backward"]
    inputs: tuple[Any, ...]  #: the layer's inputs; going backward (dy,)
    value: Any  #: y; going backward dx
    gradients: dict[str, Array]  #: going backward: by the layer's own names of its parameters
    changed: dict[str, Array]  #: going forward: running statistics, by the layer's own names
    pullback: LayerPullback


Listener = Callable[[Event], None]


def watched(model: Layer, listener: Listener) -> Layer:
    """Return the same model, which tells of every leaf layer's values and gradients as they are computed.

    A leaf is every layer except ``Sequential``, ``Residual`` and ``Graph``, also one that has layers inside. The
    model has the parameters, names, values and gradients of the one that it is made from.

    Args:
        model: the model.
        listener: called with an :class:`Event` after each leaf's forward and backward pass. It must change
            nothing in it. What it raises ends the pass.

    Example:
        >>> from whygrad.layers import Linear, ReLU, Sequential
        >>> model = Sequential(fc1=Linear(2, 3), relu1=ReLU())
        >>> params = model.init(np.random.default_rng(0))
        >>> spoken = watched(model, lambda event: print(event.going, event.name, event.value.shape))
        >>> y, pullback, _ = spoken(params, np.ones((4, 2), np.float32))
        forward fc1 (4, 3)
        forward relu1 (4, 3)
        >>> dx, gradients = pullback(y)
        backward relu1 (4, 3)
        backward fc1 (4, 2)
    """
    return with_leaves(model, lambda name, layer: _Watched(layer, listener, name))


def with_leaves(layer: Layer, change: Callable[[str, Layer], Layer], name: str = "") -> Layer:
    """Return the same model with another layer in the place of every leaf.

    Args:
        layer: the model.
        change: the name of a leaf and the leaf → what stands in its place, with the same parameters.
        name: what stands before the names.

    Example:
        >>> from whygrad.layers import Dropout, Linear, Sequential
        >>> model = Sequential(fc=Linear(2, 3), drop=Dropout(0.9))
        >>> with_leaves(model, lambda name, layer: Dropout(0.1) if name == "drop" else layer).layers["drop"]
        Dropout(p=0.1)
    """
    if is_a(layer, Sequential):
        inner = {part: with_leaves(at, change, dotted(name, part)) for part, at in layer.layers.items()}
        return Sequential(**inner, input_shape=layer.input_shape)
    if is_a(layer, Residual):
        roles = parts_of(layer)
        body = with_leaves(roles[BODY], change, name)  # the body adds no name of its own
        ways = [
            with_leaves(roles[role], change, dotted(name, role)) if role in roles else None
            for role in (SHORTCUT, ACTIVATION)
        ]
        return Residual(body, *ways)
    if is_a(layer, Graph):
        nodes: dict[str, Node | tuple[Any, ...]] = {
            part: node._replace(layer=with_leaves(node.layer, change, dotted(name, part)))
            for part, node in layer.nodes.items()
        }
        return Graph(nodes, inputs=layer.inputs, outputs=layer.outputs, input_shapes=layer.input_shapes)
    return change(name, layer)


def is_a(layer: Layer, kind: type[L]) -> TypeGuard[L]:
    """Return whether a layer computes as ``kind`` does: a subclass with a call of its own does not.

    Example:
        >>> from whygrad.layers import ReLU, Sequential
        >>> is_a(Sequential(ReLU()), Sequential), is_a(ReLU(), Sequential)
        (True, False)
    """
    return isinstance(layer, kind) and type(layer).__call__ is kind.__call__


def dotted(*names: str) -> str:
    """Join names with dots, leaving out the empty ones.

    Example:
        >>> dotted("layer1", "", "conv1")
        'layer1.conv1'
    """
    return ".".join(name for name in names if name)


def parts_of(block: Residual) -> dict[str, Layer]:
    """Return the layers of a residual block by role: body, downsample and activation, without those it lacks.

    Example:
        >>> from whygrad.layers import Linear, Residual, Tanh
        >>> parts_of(Residual(Linear(3, 3), activation=Tanh()))
        {'body': Linear(3, 3), 'activation': Tanh()}
    """
    return dict(block._parts.layers)


@dataclass(frozen=True, repr=False, eq=False)
class _Watched(Layer):
    """A leaf layer that tells its listener what it computes."""

    layer: Layer
    listener: Listener
    name: str

    def parameters(self) -> dict[str, Parameter]:
        return self.layer.parameters()

    def init(self, rng: np.random.Generator, dtype: Any = np.float32) -> dict[str, Array]:
        return self.layer.init(rng, dtype)

    def output_shape(self, *shapes: Shape) -> Shape:
        return self.layer.output_shape(*shapes)

    def rows(self, name: str, *shapes: Shape | None) -> list[Row]:
        return self.layer.rows(name, *shapes)

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        y, pullback, changed = self.layer(params, *inputs, training=training, rng=rng)
        self.listener(Event(self.name, self.layer, "forward", inputs, y, {}, changed, pullback))
        return y, partial(_watched_backward, self, pullback), changed

    def __repr__(self) -> str:
        return repr(self.layer)


def _watched_backward(
    at: _Watched, pullback: LayerPullback, dy: Any, **options: bool
) -> tuple[Any, dict[str, Array]]:
    dx, gradients = pullback(dy, **options)
    at.listener(Event(at.name, at.layer, "backward", (dy,), dx, gradients, {}, pullback))
    return dx, gradients


class _Found(Exception):  # noqa: N818  (an end, not an error)
    """Ends a pass at the first place where something is not finite."""


def first_not_finite(
    model: Layer,
    params: Params,
    inputs: Array | tuple[Array, ...],
    target: Any,
    loss: Loss,
    *,
    training: bool = True,
    seed: int = 0,
) -> str | None:
    """Return a sentence naming the first place where something is not finite, or None.

    Looked at in this order: parameters, inputs, targets, layers as they compute, the loss and its gradient,
    pullbacks as they compute. Sums that a ``Residual`` or ``Graph`` makes are no layers: they are named where
    their result arrives.

    Args:
        model: the model.
        params: its parameters.
        inputs: its input, or a tuple of several.
        target: what the loss compares with.
        loss: gives a loss and its gradient.
        training: whether the model is called in training.
        seed: of the generator that it is called with.

    Example:
        >>> from whygrad.layers import Linear
        >>> from whygrad.losses import cross_entropy
        >>> model = Linear(2, 3)
        >>> params = {"weight": np.full((3, 2), 1e200), "bias": np.zeros(3)}
        >>> first_not_finite(model, params, np.array([[1e200, 0.0]]), np.array([0]), cross_entropy)
        'Linear(2, 3) gave inf (3 of 3 entries, the first at [0, 0]) from finite inputs up to 1e+200 in size'
    """
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    with np.errstate(all="ignore"):
        try:
            _look_before(model, params, given, target)
            rng = np.random.default_rng(seed)
            y, pullback, _ = watched(model, _look)(params, *given, training=training, rng=rng)
            _require("the model's value has {}, though every layer gave finite numbers: a sum overflowed", y)
            value, dy = loss(y, target)
            _require(f"the loss is {{}} from finite predictions{_range(y)}", value)
            _require(f"the loss gave {{}} in its gradient of the predictions, which are finite{_range(y)}", dy)
            dx, gradients = pullback(dy)
            for name, gradient in gradients.items():
                _require(f"the gradient of {name} has {{}}: the sum over its uses overflowed", gradient)
            _require("the gradient of the input has {}: a sum of gradients overflowed", dx)
        except _Found as found:
            return str(found)
    return None


def _look_before(model: Layer, params: Params, inputs: tuple[Array, ...], target: Any) -> None:
    for name in model.parameters():
        if name in params:
            _require(f"parameter {name} has {{}}", params[name])
    for i, x in enumerate(inputs):
        if len(inputs) == 1:
            which = "the input"
        else:
            which = f"input {model.inputs[i]}" if is_a(model, Graph) else f"input {i + 1} of {len(inputs)}"
        _require(f"{which} has {{}}", x)
    _require("the target has {}", target)


def _look(event: Event) -> None:
    """Look at what a layer or pullback was given, which only a sum can have spoilt, and at what it gave."""
    if event.going == "forward":
        given = f"{event.name} ({_shown(event.layer)})" if event.name else _shown(event.layer)
        _require(
            f"{given} received {{}}, though every layer before it gave finite numbers: a sum overflowed",
            event.inputs,
        )
        _require(f"{given} gave {{}} from finite inputs{_range(event.inputs)}", event.value)
        for name, array in event.changed.items():
            _require(f"{given} gave {{}} in its {name} from finite inputs{_range(event.inputs)}", array)
        return
    who = event.name or "the model"
    finite = f"from a finite dy{_range(event.inputs)}"
    _require(
        f"the pullback of {who} received {{}}, though every gradient before it is finite: a sum overflowed",
        event.inputs,
    )
    for name, gradient in event.gradients.items():
        _require(f"the pullback of {who} gave {{}} in its gradient of {name} {finite}", gradient)
    _require(f"the pullback of {who} gave {{}} in dx {finite}", event.value)


def _shown(layer: Layer) -> str:
    try:
        return repr(layer)
    except TypeError:  # the base's repr is for dataclasses, which a layer of the user's own need not be
        return type(layer).__name__


def _require(sentence: str, value: Any) -> None:
    """Raise the sentence, with what was found in place of {}, unless all numbers in the value are finite."""
    for array in _arrays(value):
        fault = _fault(array)
        if fault:
            # Not str.format: a layer's repr may have braces.
            raise _Found(sentence.replace("{}", fault, 1))


def _arrays(value: Any) -> list[Array]:
    """Return the float arrays in a value, which may be an array, a number, None, or several."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [array for part in value for array in _arrays(part)]
    array = np.asarray(value)
    return [array] if np.issubdtype(array.dtype, np.inexact) else []


def _fault(array: Array) -> str | None:
    """Say what is not finite in an array and where: "NaN (3 of 640 entries, the first at [0, 5])"."""
    finite = np.isfinite(array)
    wrong = array.size - int(np.count_nonzero(finite))
    if not wrong:
        return None
    bad = array[~finite]
    kinds = {"NaN": np.isnan(bad), "inf": np.isposinf(bad), "-inf": np.isneginf(bad)}
    what = " and ".join(kind for kind, has in kinds.items() if has.any())
    if array.ndim == 0:
        return what
    first = [int(i) for i in np.argwhere(~finite)[0]]
    if wrong == 1:
        return f"{what} at {first} (1 of {array.size} entries)"
    return f"{what} ({wrong} of {array.size} entries, the first at {first})"


def _range(value: Any) -> str:
    sizes = [float(np.abs(array).max()) for array in _arrays(value) if array.size]
    return f" up to {max(sizes):.2g} in size" if sizes else ""
