"""An ONNX file as nodes, initializers, inputs and outputs, with every claim in it checked."""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from whygrad.errors import FileError
from whygrad.interop.onnx.nodes import TENSOR, OnnxNode, read_node
from whygrad.interop.onnx.package import onnx
from whygrad.interop.onnx.tensors import REMEDY, dtype_of, read_tensor

OLDEST_OPSET = 9
_MOST_BYTES = 2**31  #: what protobuf can read
_MOST_NODES = 100_000


class OnnxInput(NamedTuple):
    """An input or output as the file declares it."""

    name: str
    dtype: np.dtype[Any] | None
    sizes: tuple[int | None, ...] | None  #: None for a size that is decided later, or for all of them


class OnnxGraph(NamedTuple):
    """What a file holds."""

    path: Path
    opset: int
    nodes: list[OnnxNode]  #: each after those whose values it reads
    initializers: dict[str, npt.NDArray[Any]]
    inputs: list[OnnxInput]
    outputs: list[OnnxInput]


def read_graph(path: Path) -> OnnxGraph:
    """Read an ONNX file.

    Raises:
        FileError: a file that is missing, damaged, or of another kind.
        DependencyError: the package onnx is not installed.
    """
    model = _inlined(path, _parse(path))
    opset = _opset(path, model)
    graph = model.graph
    if len(graph.sparse_initializer):
        raise FileError(str(path), "dense initializers", "sparse ones", "export the model without sparsity")
    initializers = {}
    for tensor in graph.initializer:
        where = f"the initializer {tensor.name[:80]!r}"
        if not tensor.name or tensor.name in initializers:
            raise FileError(str(path), "initializers with names of their own", where, REMEDY)
        initializers[tensor.name] = read_tensor(path, tensor, where)
    nodes = [_with_tensor(path, read_node(message, i, opset)) for i, message in enumerate(graph.node)]
    inputs = [_declared(one) for one in graph.input if one.name not in initializers]
    names = [one.name for one in inputs]
    if not all(names) or len(set(names)) != len(names):
        raise FileError(str(path), "inputs with names of their own", ", ".join(map(repr, names))[:200], REMEDY)
    outputs = [_declared(one) for one in graph.output]
    return OnnxGraph(path, opset, _ordered(path, nodes, {*names, *initializers}), initializers, inputs, outputs)


def _parse(path: Path) -> Any:
    package = onnx()
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise FileError(str(path), "at most 2 GiB", f"{size} bytes", "keep the weights in a file beside it")
        content = path.read_bytes()
    except OSError as error:
        raise FileError(str(path), "a readable file", error.strerror or str(error), "check the path") from None
    model = package.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's own, of whichever implementation
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(str(path), "a whole ONNX file", reason, REMEDY) from None
    if not model.HasField("graph") or not (len(model.graph.node) or len(model.graph.output)):
        raise FileError(str(path), "an ONNX file with a graph", "none", "check that it is the right file")
    return model


def _opset(path: Path, model: Any) -> int:
    versions = [int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx")]
    if not versions:
        raise FileError(str(path), "a version of ONNX's operations", "none", REMEDY)
    newest = onnx().defs.onnx_opset_version()
    if not OLDEST_OPSET <= versions[0] <= newest:
        expected = f"operations of version {OLDEST_OPSET} to {newest}"
        remedy = "convert the model with onnx.version_converter, or update the package onnx"
        raise FileError(str(path), expected, f"{versions[0]}", remedy)
    return versions[0]


def _inlined(path: Path, model: Any) -> Any:
    """Return the model with the bodies of its own functions in place of their calls."""
    if not len(model.functions):
        return model
    bodies = {(one.domain, one.name): one.node for one in model.functions}
    if len(bodies) != len(model.functions):
        raise FileError(str(path), "functions with names of their own", "two of one name", REMEDY)
    sizes: dict[tuple[str, str], int] = {}
    sorter = TopologicalSorter(
        {name: {(n.domain, n.op_type) for n in nodes} & bodies.keys() for name, nodes in bodies.items()}
    )
    try:
        for name in sorter.static_order():
            sizes[name] = sum(sizes.get((n.domain, n.op_type), 1) for n in bodies[name])
        count = sum(sizes.get((n.domain, n.op_type), 1) for n in model.graph.node)
        if count > _MOST_NODES:
            raise FileError(str(path), f"at most {_MOST_NODES} nodes", f"{count}", REMEDY)
        return onnx().inliner.inline_local_functions(model)
    except CycleError:
        raise FileError(str(path), "functions that do not call themselves", "a cycle", REMEDY) from None
    except (RuntimeError, ValueError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(str(path), "functions that can be put in place", reason, REMEDY) from None


def _with_tensor(path: Path, node: OnnxNode) -> OnnxNode:
    """Return a constant with its numbers."""
    value = node.attributes.get("value")
    if value is None or value.type != TENSOR:
        return node
    return replace(node, tensor=read_tensor(path, value.t, node.where))


def _declared(value: Any) -> OnnxInput:
    """Return an input or output with what is known of its type and sizes."""
    kind = value.type.tensor_type
    dtype = dtype_of(kind.elem_type) if value.type.HasField("tensor_type") else None
    if not kind.HasField("shape"):
        return OnnxInput(value.name, dtype, None)
    sizes = tuple(int(d.dim_value) if d.HasField("dim_value") else None for d in kind.shape.dim)
    return OnnxInput(value.name, dtype, sizes)


def _ordered(path: Path, nodes: list[OnnxNode], given: set[str]) -> list[OnnxNode]:
    """Return the nodes so that each stands after those whose values it reads."""
    if len(nodes) > _MOST_NODES:
        raise FileError(str(path), f"at most {_MOST_NODES} nodes", f"{len(nodes)}", REMEDY)
    makers: dict[str, OnnxNode] = {}
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in makers or name in given:
                raise FileError(
                    str(path), "values that are made once", f"{name[:80]!r} again at {node.where}", REMEDY
                )
            makers[name] = node
    for node in nodes:
        for name in filter(None, node.inputs):
            if name not in makers and name not in given:
                received = f"{name[:80]!r} at {node.where}"
                raise FileError(str(path), "inputs that some node makes", received, REMEDY)
    if _in_order(nodes, makers):
        return nodes
    sorter = TopologicalSorter(
        {node.place: [makers[name].place for name in node.inputs if name in makers] for node in nodes}
    )
    try:
        return [nodes[place] for place in sorter.static_order()]
    except CycleError as error:
        shown = " -> ".join(nodes[place].where for place in error.args[1][:4])
        raise FileError(str(path), "a graph without cycles", shown, REMEDY) from None


def _in_order(nodes: list[OnnxNode], makers: dict[str, OnnxNode]) -> bool:
    """Return whether each node stands after those whose values it reads, as ONNX wants it."""
    return all(makers[name].place < node.place for node in nodes for name in node.inputs if name in makers)
