"""From a network of whygrad's layers and its parameters to an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from whygrad.checking.watching import parts_of
from whygrad.errors import FileError, OptionError, ShapeError
from whygrad.interop.onnx.package import onnx
from whygrad.interop.onnx.script import Script, Written
from whygrad.interop.onnx.writers import WRITERS
from whygrad.layers import Add, Graph, Layer, Residual, Sequential
from whygrad.layers.layer import take
from whygrad.layers.residual import ACTIVATION, BODY, SHORTCUT
from whygrad.training.files import write_file
from whygrad.typing import Params, Shape
from whygrad.version import __version__

#: The version of ONNX's operations that is written: the first with Gelu.
OPSET, _IR_VERSION = 20, 9
_MOST_BYTES = 2**31 - 1


def save_onnx(
    path: str | PathLike[str],
    model: Layer,
    params: Params,
    *,
    input_shapes: Shape | tuple[Shape, ...] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a network as an ONNX file, which other programs run.

    The file has the network in evaluation: batch normalisation with its running statistics, dropout without
    effect. Parameters keep their names, and the batch axis takes any size. It is checked by ``onnx.checker``, and
    there is the whole file or the one that was there before.

    Args:
        path: where to.
        model: of whygrad's layers, in any nesting.
        params: its parameters.
        input_shapes: of one sample of each input, or of the one input; those of the model if None.
        metadata: words that go into the file by name.

    Raises:
        DependencyError: the package onnx is not installed.
        OptionError: layers that ONNX does not know, all of them named, or parameters or shapes that are missing.
        FileError: the file cannot be written, or would be too large.

    Example:
        >>> import tempfile, onnx
        >>> from whygrad.layers import Conv2d, Flatten, Linear, ReLU, Sequential
        >>> model = Sequential(
        ...     conv1=Conv2d(1, 4, 3), relu1=ReLU(), flatten=Flatten(), fc1=Linear(144, 10), input_shape=(1, 8, 8)
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_onnx(f"{folder}/model.onnx", model, model.init(np.random.default_rng(0)))
        ...     [node.op_type for node in onnx.load(f"{folder}/model.onnx").graph.node]
        ['Conv', 'Relu', 'Flatten', 'Gemm']

    Source: the operators of ONNX, https://onnx.ai/onnx/operators.
    """
    package = onnx()
    shapes = _input_shapes(model, input_shapes)
    own = take(params, model)
    dtypes = {array.dtype for array in own.values()} or {np.dtype(np.float32)}
    if len(dtypes) != 1:
        received = ", ".join(sorted(map(str, dtypes)))
        raise OptionError("save_onnx", "parameters of one dtype", received, "convert them to one dtype")
    script = Script(own, dtypes.pop())
    names = model.inputs if isinstance(model, Graph) else tuple(f"input{i or ''}" for i in range(len(shapes)))
    inputs = [Written(script.free(name), shape) for name, shape in zip(names, shapes, strict=True)]
    walker = _Walker(script)
    values = walker.walk(model, "", "", *inputs)
    if walker.unknown:
        remedy = "build the network of whygrad's own layers"
        raise OptionError("save_onnx", "layers that ONNX knows", ", ".join(walker.unknown), remedy)
    outputs = values if isinstance(values, list) else [values]
    content = _packed(package, script, inputs, outputs, dict(metadata or {}))
    if len(content) > _MOST_BYTES:
        raise FileError(
            str(path), "a network of at most 2 GiB", f"{len(content)} bytes", "save its parameters alone"
        )
    write_file(Path(path), content)


def _input_shapes(model: Layer, given: Any) -> tuple[Shape, ...]:
    """Return the shapes of one sample of each input."""
    if given is None:
        given = getattr(model, "input_shapes", None) or getattr(model, "input_shape", None)
    if given is None:
        remedy = "pass input_shapes=(1, 28, 28), without the batch axis"
        raise OptionError("save_onnx", "the shape of one sample of the input", "none", remedy)
    shapes = tuple(given) if given and isinstance(given[0], tuple) else (tuple(given),)
    count = len(model.inputs) if isinstance(model, Graph) else len(shapes)
    if len(shapes) != count:
        raise ShapeError("save_onnx", f"{count} input_shapes", f"{len(shapes)}", "pass one for each input")
    model.output_shape(*shapes)
    return shapes


class _Walker:
    """Goes through a network and writes its leaf layers."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.unknown: list[str] = []

    def walk(self, layer: Layer, name: str, prefix: str, *inputs: Written) -> Any:
        """Write a layer and return its value, or a list of values of a graph of several outputs.

        Args:
            layer: the layer.
            name: its dotted name.
            prefix: what stands before its own names of its parameters.
            inputs: what it reads.
        """
        if type(layer) is Sequential:
            value: Any = inputs
            for part, inner in layer.layers.items():
                value = (self.walk(inner, _dotted(name, part), f"{prefix}{part}.", *value),)
            return value[0]
        if type(layer) is Residual:
            return self._residual(layer, name, prefix, *inputs)
        if type(layer) is Graph:
            return self._graph(layer, name, prefix, *inputs)
        return self._leaf(layer, name, prefix, *inputs)

    def _residual(self, layer: Residual, name: str, prefix: str, x: Written) -> Written:
        roles = parts_of(layer)
        y = self.walk(roles[BODY], name, prefix, x)
        side = x
        if SHORTCUT in roles:
            side = self.walk(roles[SHORTCUT], _dotted(name, SHORTCUT), f"{prefix}{SHORTCUT}.", x)
        total = self._leaf(Add(), _dotted(name, "add"), "", y, side)
        if ACTIVATION not in roles:
            return total
        gated: Written = self.walk(roles[ACTIVATION], _dotted(name, ACTIVATION), f"{prefix}{ACTIVATION}.", total)
        return gated

    def _graph(self, layer: Graph, name: str, prefix: str, *inputs: Written) -> Any:
        known: dict[str, Any] = dict(zip(layer.inputs, inputs, strict=True))
        for part, node in layer.nodes.items():
            scope = part if node.parameters is None else node.parameters
            inner = f"{prefix}{scope}." if scope else prefix
            known[part] = self.walk(node.layer, _dotted(name, part), inner, *(known[one] for one in node.inputs))
        if isinstance(layer.outputs, tuple):
            return [known[one] for one in layer.outputs]
        return known[layer.outputs]

    def _leaf(self, layer: Layer, name: str, prefix: str, *inputs: Written) -> Written:
        shape = layer.output_shape(*(value.shape for value in inputs))
        if type(layer) not in WRITERS:
            self.unknown.append(f"{name} ({type(layer).__name__})")
            return Written(name, shape)
        self.script.begin(name)
        own = {short: self.script.parameter(prefix + short) for short in layer.shapes}
        return Written(WRITERS[type(layer)](layer, own, self.script, *inputs), shape)


def _dotted(*names: str) -> str:
    return ".".join(name for name in names if name)


def _packed(
    package: Any, script: Script, inputs: list[Written], outputs: list[Written], metadata: dict[str, str]
) -> bytes:
    """Return the bytes of the file, checked."""
    helper = package.helper
    kind = package.helper.np_dtype_to_tensor_dtype(script.dtype)
    final = []
    for value in outputs:  # an output that is an input, or named twice, is handed on
        script.begin("output")
        made = script.node("Identity", value.name) if value in inputs or value in final else value.name
        final.append(Written(made, value.shape))
    declared = [
        [helper.make_tensor_value_info(value.name, kind, ["N", *value.shape]) for value in values]
        for values in (inputs, final)
    ]
    graph = helper.make_graph(script.nodes, "whygrad", *declared, list(script.initializers.values()))
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="whygrad", producer_version=__version__
    )
    model.ir_version = _IR_VERSION
    if metadata:
        helper.set_model_props(model, metadata)
    if model.ByteSize() <= _MOST_BYTES:
        package.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
