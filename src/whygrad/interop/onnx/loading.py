"""From an ONNX file to a network of whygrad's layers and its parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from whygrad.errors import FileError, OptionError, WhygradError
from whygrad.interop.onnx.building import MOST_ENTRIES, Builder
from whygrad.interop.onnx.folding import fold
from whygrad.interop.onnx.mappers import MAPPERS
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.reading import OnnxGraph, OnnxInput, read_graph
from whygrad.interop.onnx.tensors import REMEDY
from whygrad.interop.onnx.values import LOST, Known, Traced, UnsupportedError, Value
from whygrad.layers import Graph, Node, Reshape
from whygrad.typing import Array, Shape

_MOST_AXES = 8


def load_onnx(
    path: str | PathLike[str],
    *,
    input_shapes: Shape | Mapping[str, Shape] | None = None,
    outputs: Iterable[str] | None = None,
    batched: bool = True,
) -> tuple[Graph, dict[str, Array]]:
    """Read a network from an ONNX file: a graph of whygrad's layers, to be trained, checked and explained as any.

    Layers are named after the file's nodes and parameters after its initializers: ``conv1.weight`` of a network
    that PyTorch wrote is ``conv1.weight`` here. The batch axis takes any size, whatever the file says.

    Args:
        path: of the file.
        input_shapes: of one sample of each input, without the batch axis, where the file leaves sizes open: a tuple
            for a network of one input, else by name.
        outputs: names of values to be returned instead of the file's outputs.
        batched: False for a network whose inputs have no batch axis. It then gets one: what the file calls an input
            is one sample.

    Returns:
        The network and its parameters.

    Raises:
        DependencyError: the package onnx is not installed.
        FileError: a file that is missing or damaged, or nodes that have no counterpart here, all of them named.
        OptionError: an input or output that the file does not have, or one without a size.

    Example:
        >>> from whygrad.models import lenet5
        >>> model = lenet5()
        >>> import tempfile
        >>> from whygrad import save_onnx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_onnx(f"{folder}/lenet5.onnx", model, model.init(np.random.default_rng(0)))
        ...     again, params = load_onnx(f"{folder}/lenet5.onnx")
        >>> again.output_shape((1, 28, 28)), sorted(params)[:2]
        ((10,), ['conv1.bias', 'conv1.weight'])

    Source: the operators of ONNX, https://onnx.ai/onnx/operators.
    """
    graph = read_graph(Path(path))
    wanted = [one.name for one in graph.outputs] if outputs is None else list(outputs)
    graph = graph._replace(nodes=_needed(graph, wanted))
    builder = _builder(graph, wanted, input_shapes, batched=batched)
    failed = [text for node in graph.nodes if (text := _make(node, builder))]
    if failed:
        _refuse(graph, failed)
    return _network(graph, builder, wanted)


def _needed(graph: OnnxGraph, outputs: list[str]) -> list[OnnxNode]:
    """Return the nodes that the outputs depend on."""
    makers = {name: node for node in graph.nodes for name in node.outputs if name}
    found: set[int] = set()
    waiting = [makers[name] for name in outputs if name in makers]
    while waiting:
        node = waiting.pop()
        if node.place not in found:
            found.add(node.place)
            waiting += [makers[name] for name in node.inputs if name in makers]
    return [node for node in graph.nodes if node.place in found]


def _builder(
    graph: OnnxGraph, outputs: list[str], shapes: Shape | Mapping[str, Shape] | None, *, batched: bool
) -> Builder:
    """Return a builder that knows the inputs and the initializers."""
    uses = Counter([name for node in graph.nodes for name in node.inputs] + outputs)
    sizes = [one.sizes for one in graph.inputs if one.sizes]
    builder = Builder(batched=batched, batch=sizes[0][0] if sizes else None, uses=uses)
    for name, array in graph.initializers.items():
        builder.values[name] = Known(array, name)
    if shapes is not None and not isinstance(shapes, Mapping):
        if len(graph.inputs) != 1:
            names = ", ".join(one.name for one in graph.inputs)
            raise OptionError("load_onnx", f"input_shapes by name for {names}", f"{shapes!r}", "pass a mapping")
        shapes = {graph.inputs[0].name: tuple(shapes)}
    unknown = set(shapes or ()) - {one.name for one in graph.inputs}
    if unknown:
        names = ", ".join(one.name for one in graph.inputs)
        raise OptionError("load_onnx", f"input_shapes of {names}", ", ".join(sorted(unknown)), "check the spelling")
    for one in graph.inputs:
        shape, dtype = _sample(graph, one, (shapes or {}).get(one.name), batched=batched)
        builder.values[one.name] = Traced(one.name, shape, dtype)
        builder.reserved.add(one.name)
    return builder


def _sample(graph: OnnxGraph, one: OnnxInput, given: Shape | None, *, batched: bool) -> tuple[Shape, np.dtype[Any]]:
    """Return the shape and type of one sample of an input."""
    if one.dtype not in (np.float32, np.float64):
        remedy = "export the model for float32 inputs"
        raise FileError(str(graph.path), f"input {one.name!r} of float32 or float64", f"{one.dtype}", remedy)
    sizes = None if one.sizes is None else one.sizes[1:] if batched else one.sizes
    if batched and one.sizes == ():
        remedy = "pass batched=False"
        raise FileError(str(graph.path), f"input {one.name!r} with a batch axis", "a single number", remedy)
    if given is not None:
        if sizes is not None and (
            len(sizes) != len(given) or any(m not in (None, n) for m, n in zip(sizes, given, strict=True))
        ):
            remedy = "leave the batch axis out"
            raise OptionError("load_onnx", f"a shape of {one.name!r} that fits {_shown(sizes)}", f"{given}", remedy)
        sizes = tuple(given)
    if sizes is None or None in sizes:
        shown = "any" if sizes is None else _shown(sizes)
        remedy = f"pass input_shapes={{{one.name!r}: (3, 224, 224)}}, with the sizes that it is to have"
        raise OptionError("load_onnx", f"the shape of one sample of input {one.name!r}", shown, remedy)
    shape = tuple(int(size) for size in sizes if size is not None)
    if any(size < 1 for size in shape) or len(shape) > _MOST_AXES or prod(shape) > MOST_ENTRIES:
        expected = f"input {one.name!r} of sizes above 0 and at most {MOST_ENTRIES} entries"
        raise FileError(str(graph.path), expected, f"{shape[:_MOST_AXES]}", REMEDY)
    return shape, np.dtype(one.dtype)


def _shown(sizes: tuple[int | None, ...]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in sizes)})"


def _make(node: OnnxNode, builder: Builder) -> str | None:
    """Make what a node stands for; return why that cannot be."""
    builder.begin(node)
    inputs = [builder.value(name) for name in node.inputs]
    lost = any(value is LOST for value in inputs)
    try:
        if node.op not in MAPPERS and lost:
            raise UnsupportedError("there is no such operation here")
        made = None if lost else _values(node, inputs, builder)
    except UnsupportedError as error:
        builder.values.update(dict.fromkeys(filter(None, node.outputs), LOST))
        return f"{node.where}: {error}"
    values: list[Value] = made if isinstance(made, list) else [made]
    for i, name in enumerate(node.outputs):
        if name:
            builder.values[name] = LOST if lost or i >= len(values) else values[i]
    return _unmade(node, len(values), builder) if not lost else None


def _unmade(node: OnnxNode, made: int, builder: Builder) -> str | None:
    """Say that values beside the first are read, of which only the first is made here."""
    read = [name for name in node.outputs[made:] if name and builder.uses[name]]
    return f"{node.where}: its output {read[0]!r} is read, which there is not here" if read else None


def _values(node: OnnxNode, inputs: list[Value], builder: Builder) -> Value | list[Value]:
    try:
        folded = fold(node, inputs, builder)
        if folded is not None:
            return folded
        if node.op not in MAPPERS:
            raise UnsupportedError("there is no such operation here")
        return MAPPERS[node.op](node, inputs, builder)
    except (LookupError, ArithmeticError, ValueError, TypeError, AttributeError) as error:
        # Fewer inputs than the operation has, other ranks, text for numbers: a file may hold anything.
        if isinstance(error, WhygradError):
            raise UnsupportedError(str(error)) from None
        reason = str(error).partition("\n")[0][:200]
        raise UnsupportedError(f"it is not as ONNX says: {reason}") from None


def _refuse(graph: OnnxGraph, failed: list[str]) -> NoReturn:
    nodes = f"{len(failed)} node{'s' if len(failed) > 1 else ''} without a counterpart here"
    received = nodes + "".join(f"\n  {text}" for text in failed) + "\n"
    remedy = "docs/onnx.md lists what can be read; outputs=[...] takes the part of a network before such nodes"
    raise FileError(str(graph.path), "operations that whygrad has", received, remedy)


def _network(graph: OnnxGraph, builder: Builder, outputs: list[str]) -> tuple[Graph, dict[str, Array]]:
    """Return the network of what the outputs need."""
    if not outputs:
        raise FileError(str(graph.path), "a graph with outputs", "none", REMEDY)
    names = []
    for name in outputs:
        if name not in builder.values:
            known = ", ".join(one.name for one in graph.outputs)
            raise OptionError("load_onnx", f"an output such as {known}", f"{name!r}", "check the spelling")
        value = builder.values[name]
        if not isinstance(value, Traced):
            raise FileError(str(graph.path), f"output {name!r} that depends on an input", "a constant", REMEDY)
        if value.source not in builder.nodes:  # an input handed on
            builder.begin(OnnxNode("Identity", name, 0, (), (), {}, graph.opset))
            value = builder.layer(Reshape(value.shape), value)
        names.append(value.source)
    kept = _reachable(builder.nodes, names)
    values = [builder.values[one.name] for one in graph.inputs]
    model = Graph(
        {name: node for name, node in builder.nodes.items() if name in kept},
        inputs=tuple(one.name for one in graph.inputs),
        outputs=names[0] if len(names) == 1 else tuple(names),
        input_shapes=tuple(value.shape for value in values if isinstance(value, Traced)),
    )
    return model, {name: builder.parameters[name] for name in model.parameters()}


def _reachable(nodes: Mapping[str, Node], outputs: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found.add(name)
            waiting += nodes[name].inputs
    return found
