"""Any directed acyclic graph of named layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import numpy as np

from whygrad.errors import OptionError, ShapeError, inside
from whygrad.layers.layer import Layer, LayerPullback, LayerResult, Parameter, Row, going_back
from whygrad.layers.parts import Parts, html, table
from whygrad.ops.add import add
from whygrad.typing import Array, Params, Shape


class Node(NamedTuple):
    """A layer and where its inputs come from."""

    layer: Layer
    inputs: tuple[str, ...]  #: names of nodes or of the graph's inputs
    parameters: str | None = None  #: the scope of its parameters; another node's name to share that node's


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    pullbacks: list[tuple[str, LayerPullback]]  #: by name of the node, in the order they ran
    graph: Graph
    shapes: dict[str, tuple[Shape, Any]]  #: shape and dtype of every value


class Graph(Layer):
    """A network of named nodes, in any order that has no cycle.

    Args:
        nodes: by name, a :class:`Node` or ``(layer, input, ...)``. A value that several nodes read gets the sum
            of their gradients, and so does a parameter that several nodes share.
        inputs: names of what the graph is called with, in order.
        outputs: the node whose value is returned, or a tuple of nodes for a tuple of values.
        input_shapes: shapes of one sample of each input, which the model's table then starts from.

    Raises:
        OptionError: a name that nothing has, a cycle, or an output that is missing.

    Example:
        >>> from whygrad.layers import Add, Conv2d, ReLU
        >>> model = Graph(
        ...     {
        ...         "conv1": (Conv2d(1, 4, 3, padding=1), "image"),
        ...         "relu1": (ReLU(), "conv1"),
        ...         "sum": (Add(), "relu1", "conv1"),
        ...     },
        ...     inputs=("image",), outputs="sum",
        ... )
        >>> params = model.init(np.random.default_rng(0))
        >>> y, pullback, _ = model(params, np.ones((2, 1, 5, 5), np.float32))
        >>> y.shape
        (2, 4, 5, 5)
        >>> dx, gradients = pullback(np.ones_like(y))
        >>> dx.shape, sorted(gradients)
        ((2, 1, 5, 5), ['conv1.bias', 'conv1.weight'])
    """

    def __init__(
        self,
        nodes: Mapping[str, Node | tuple[Any, ...]],
        *,
        inputs: tuple[str, ...] = ("input",),
        outputs: str | tuple[str, ...] = "output",
        input_shapes: tuple[Shape, ...] | None = None,
    ) -> None:
        outputs = tuple(outputs) if isinstance(outputs, list) else outputs
        self.inputs, self.outputs, self.input_shapes = inputs, outputs, input_shapes
        given = {
            name: node if isinstance(node, Node) else Node(node[0], tuple(node[1:])) for name, node in nodes.items()
        }
        if len(set(inputs)) != len(inputs) or not inputs or isinstance(inputs, str):
            raise OptionError("Graph", "a tuple of inputs with names of their own", f"{inputs!r}", "change inputs")
        if not outputs:
            raise OptionError("Graph", "at least one output", f"{outputs!r}", "name a node")
        self.nodes = {name: given[name] for name in _order(given, inputs)}
        for name in outputs if isinstance(outputs, tuple) else (outputs,):
            if name not in self.nodes:
                raise OptionError("Graph", f"an output among {', '.join(nodes)}", f"{name!r}", "change outputs")
        layers = {name: node.layer for name, node in self.nodes.items()}
        scopes = {name: node.parameters for name, node in self.nodes.items() if node.parameters is not None}
        self._parts = Parts("Graph", layers, scopes)

    def parameters(self) -> dict[str, Parameter]:
        return self._parts.parameters

    def output_shape(self, *shapes: Shape) -> Any:
        known = self._shapes(shapes)
        return tuple(known[n] for n in self.outputs) if isinstance(self.outputs, tuple) else known[self.outputs]

    def _shapes(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        if len(shapes) != len(self.inputs):
            expected = f"{len(self.inputs)} shapes ({', '.join(self.inputs)})"
            raise ShapeError("Graph", expected, f"{len(shapes)}", "pass one shape for each input")
        known = dict(zip(self.inputs, shapes, strict=True))
        for name, node in self.nodes.items():
            with inside(name):
                known[name] = node.layer.output_shape(*(known[source] for source in node.inputs))
        return known

    def __call__(
        self, params: Params, *inputs: Array, training: bool = False, rng: np.random.Generator | None = None
    ) -> LayerResult:
        if len(inputs) != len(self.inputs):
            expected = f"{len(self.inputs)} inputs ({', '.join(self.inputs)})"
            raise ShapeError("Graph", expected, f"{len(inputs)}", "pass one array for each input")
        values: dict[str, Array] = dict(zip(self.inputs, inputs, strict=True))
        pullbacks: list[tuple[str, LayerPullback]] = []
        changed: dict[str, Array] = {}
        current = dict(params)  # a second use of shared running statistics goes on from the first
        for name, node in self.nodes.items():
            given = [values[source] for source in node.inputs]
            with inside(name):
                y, pullback, now = node.layer(self._parts.own(current, name), *given, training=training, rng=rng)
            if isinstance(y, tuple):
                raise ShapeError(f"node {name}", "one output", f"{len(y)}", "let the inner graph have one output")
            values[name] = y
            pullbacks.append((name, pullback))
            changed.update(self._parts.scoped(name, now))
            current.update(changed)
        shapes = {name: (value.shape, value.dtype) for name, value in values.items()}
        saved = Saved(pullbacks, self, shapes)
        several = isinstance(self.outputs, tuple)
        y = tuple(values[name] for name in self.outputs) if several else values[str(self.outputs)]
        return y, partial(graph_backward, saved), changed

    def scoped(self, name: str, gradients: Params) -> dict[str, Array]:
        """Return a node's gradients under the names that the graph gives its parameters."""
        return self._parts.scoped(name, gradients)

    def rows(self, name: str, *shapes: Shape | None) -> list[Row]:
        known: dict[str, Shape] = {}
        given = tuple(shape for shape in shapes if shape is not None) or self.input_shapes or ()
        if len(given) == len(self.inputs):
            known = self._shapes(given)
        dot = f"{name}." if name else ""
        rows: list[Row] = []
        for part, node in self.nodes.items():
            rows += node.layer.rows(dot + part, *(known.get(source) for source in node.inputs))
        return rows

    def __repr__(self) -> str:
        return f"Graph({', '.join(self.nodes)})"

    def __str__(self) -> str:
        """Return the model's table: layers, output shapes and parameter counts."""
        return table(self.rows("", *(self.input_shapes or ())))

    def _repr_html_(self) -> str:
        return html(self, *(self.input_shapes or ()))


def graph_backward(
    saved: Saved, dy: Any, *, release: bool = False, input_gradient: bool = True
) -> tuple[Any, dict[str, Array]]:
    """Carry dy back from node to node, adding up wherever one value or parameter had several uses."""
    graph = saved.graph
    outputs = graph.outputs if isinstance(graph.outputs, tuple) else (graph.outputs,)
    cotangents: dict[str, Array] = {}
    gradients: dict[str, Array] = {}
    given = dy if isinstance(graph.outputs, tuple) else (dy,)
    if len(given) != len(outputs):
        expected = f"{len(outputs)} cotangents ({', '.join(outputs)})"
        raise ShapeError("Graph backward", expected, f"{len(given)}", "pass one for each output")
    for name, d in zip(outputs, given, strict=True):
        _accumulate(cotangents, name, d)
    for name, pullback in going_back(saved.pullbacks, len(graph.nodes), release=release):
        d = cotangents.pop(name, None)
        if d is None:  # no output depends on this node
            d = _zeros(saved, name)
        sources = graph.nodes[name].inputs
        wanted = input_gradient or not set(sources) <= set(graph.inputs)
        with inside(name):
            dx, own = pullback(d, release=release, **({} if wanted else {"input_gradient": False}))
        if wanted:
            for source, part in zip(sources, dx if isinstance(dx, tuple) else (dx,), strict=True):
                _accumulate(cotangents, source, part)
        for parameter, gradient in graph.scoped(name, own).items():
            _accumulate(gradients, parameter, gradient)
    if not input_gradient:
        return None, gradients
    dxs = tuple(cotangents[name] if name in cotangents else _zeros(saved, name) for name in graph.inputs)
    return dxs if len(dxs) > 1 else dxs[0], gradients


def _accumulate(sums: dict[str, Array], name: str, part: Array) -> None:
    """Add ``part`` to what ``name`` has; a new array, since a pullback's result may be shared."""
    sums[name] = add(sums[name], part)[0] if name in sums else part


def _zeros(saved: Saved, name: str) -> Array:
    shape, dtype = saved.shapes[name]
    return np.zeros(shape, dtype)


def _order(nodes: Mapping[str, Node], inputs: tuple[str, ...]) -> list[str]:
    """Return the names of the nodes, each after its inputs."""
    for name, node in nodes.items():
        if name in inputs:
            raise OptionError("Graph", "a node named unlike the inputs", f"{name!r}", "rename the node")
        if not isinstance(node.inputs, tuple):
            remedy = 'pass a tuple: Node(layer, ("image",))'
            raise OptionError("Graph", f"the inputs of {name} as a tuple", f"{node.inputs!r}", remedy)
        for source in node.inputs:
            if source not in nodes and source not in inputs:
                expected = f"the inputs of {name} among {', '.join([*inputs, *nodes])}"
                raise OptionError("Graph", expected, f"{source!r}", "check the spelling")
        if not node.inputs:
            raise OptionError("Graph", f"at least one input of {name}", "none", "name where its input comes from")
    sorter = TopologicalSorter({name: [s for s in node.inputs if s in nodes] for name, node in nodes.items()})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        received = " -> ".join(error.args[1])
        raise OptionError("Graph", "no cycle", received, "a node cannot depend on itself") from None
