"""ONNX's own tests of single operations, run on what ``load_onnx`` makes of them.

A test's inputs are given in the form in which they reach a network: parameters of an operation stand in the file,
and where there is no batch axis one is put before every input (``batched=False``). What only shapes are computed
with, whole numbers above all, is folded while a file is read, and is tested there.

``python -m tests.interop.onnx_node_tests`` prints the table of docs/onnx.md.
"""

import re
import tempfile
import warnings
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from whygrad.errors import FileError, OptionError
from whygrad.interop.onnx import load_onnx
from whygrad.interop.onnx.building import Builder
from whygrad.interop.onnx.folding import _TABLE, fold
from whygrad.interop.onnx.mappers import MAPPERS
from whygrad.interop.onnx.nodes import read_node
from whygrad.interop.onnx.values import Known, UnsupportedError

#: Operations whose inputs after the first may be values of the network as well.
JOINING = {"Add", "Sub", "Mul", "Sum", "Mean", "Concat"}
#: Operations that are there for the sake of shapes.
OF_SHAPES = {"Cast", "CastLike", "Shape", "Constant", "ConstantOfShape", "Range", "Size"}
#: Why a test does not apply: the words of the refusal, and what stands in the table.
REASONS = {
    r"of float32 or float64, received|turns float32|turns float64": "other types than float32 and float64",
    r"3 axes besides the channels": "images of three dimensions",
    r"only the nearest pixel": "linear and cubic interpolation",
    r"is a stack of matrices": "products of two stacks of matrices",
    r"only the power of 2": "powers other than the square",
    r"divides by what the network computes": "division by a value",
    r"sizes above 0|nothing would be left": "empty arrays",
    r"another generator": "a mask drawn by another generator",
}


class Result(NamedTuple):
    """What came of a test."""

    op: str
    name: str
    how: str  #: "all", "first output", "folded", or "" if it does not apply
    reason: str = ""


@cache
def node_tests():
    """Return ONNX's tests of one node whose operation can be read, by name."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    known = {*MAPPERS, *OF_SHAPES}
    return {
        case.name.removeprefix("test_"): case
        for case in cases
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in known
        if "_expanded" not in case.name  # the definition of another operation in terms of this one
    }


def run(case, folder):
    """Run a test in the first form in which it can be read; what can be read must be right."""
    op = case.model.graph.node[0].op_type
    reason = ""
    for batched in (True, False):
        for data in ("all", "first"):
            if op in OF_SHAPES or (data == "all" and op not in JOINING):
                continue
            loaded = _load(case, folder, batched=batched, data=data)
            if isinstance(loaded, str):
                reason = reason if "batch axis" in loaded else loaded
                continue
            if op == "Dropout" and _trains(case):
                return Result(op, case.name, "", "a mask drawn by another generator")
            _compare(case, *loaded, batched=batched)
            beside = len([name for name in case.model.graph.node[0].output if name]) > 1
            return Result(op, case.name, "first output" if beside and op != "Split" else "all")
    folded = _folded(case)
    if folded is True:
        return Result(op, case.name, "folded")
    return Result(op, case.name, "", _category(reason or folded))


def _category(reason):
    for words, text in REASONS.items():
        if re.search(words, reason):
            return text
    raise AssertionError(f"refused for no known reason: {reason}")


def _trains(case):
    """Return whether a test of dropout draws a mask that leaves something out."""
    (inputs, _) = case.data_sets[0]
    return len(inputs) > 2 and bool(inputs[2]) and inputs[1] != 0


def _load(case, folder, *, batched, data):
    """Return network and parameters, or why the test's model cannot be read."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    arrays = [_array(value) for value in case.data_sets[0][0]]
    if any(array is None for array in arrays):
        return "an input of float32 or float64, received none that NumPy has"
    for value, array in list(zip(list(model.graph.input), arrays, strict=True))[1:]:
        if data == "first" or not np.issubdtype(array.dtype, np.floating):
            model.graph.initializer.append(numpy_helper.from_array(array, value.name))
            model.graph.input.remove(value)
    node = model.graph.node[0]
    if node.op_type != "Split":  # what stands beside the value: indices, masks, statistics
        del model.graph.output[1:]
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    kept = {value.name for value in model.graph.input}
    shapes = {
        one.name: array.shape[1 if batched else 0 :]
        for one, array in zip(case.model.graph.input, arrays, strict=True)
        if one.name in kept
    }
    try:
        return load_onnx(path, batched=batched, input_shapes=shapes)
    except (FileError, OptionError) as error:
        return str(error)


def _compare(case, network, params, *, batched):
    training = any(a.name == "training_mode" and a.i for a in case.model.graph.node[0].attribute)
    for inputs, outputs in case.data_sets:
        by_name = {one.name: np.asarray(a) for one, a in zip(case.model.graph.input, inputs, strict=True)}
        given = [by_name[name] if batched else by_name[name][None] for name in network.inputs]
        y, _, _ = network(params, *given, training=training, rng=np.random.default_rng(0))
        values = y if isinstance(y, tuple) else (y,)
        for value, output in zip(values, outputs, strict=False):
            _assert_same(value if batched else value[0], np.asarray(output), case)


def _assert_same(got, wanted, case):
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=case.rtol, atol=max(case.atol, 1e-6))


def _folded(case):
    """Return True if the test's node is computed from constants as it should be, or why it is not."""
    message, opset = case.model.graph.node[0], case.model.opset_import[0].version
    inputs, outputs = case.data_sets[0]
    arrays, wanted = [_array(value) for value in inputs], _array(outputs[0])
    of_other_types = "of float32 or float64, received another"
    tensors = all(one.type.HasField("tensor_type") for one in case.model.graph.input)
    if message.op_type not in _TABLE or not tensors or any(a is None for a in (*arrays, wanted)):
        return of_other_types
    node = read_node(message, 0, opset)
    if "value" in node.attributes and node.attributes["value"].type == onnx.AttributeProto.TENSOR:
        node = replace(node, tensor=numpy_helper.to_array(node.attributes["value"].t))
    values = {one.name: Known(a) for one, a in zip(case.model.graph.input, arrays, strict=True)}
    try:
        got = fold(
            node,
            [values.get(name) for name in message.input],
            Builder(batched=True, batch=None, uses=Counter()),
        )
    except UnsupportedError as error:
        return str(error) if "unknown type" not in str(error) else of_other_types
    _assert_same(got.array, wanted, case)
    return True


def _array(value):
    """Return an input or output as an array; None for types that NumPy does not have."""
    array = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
    return array if array.dtype.isbuiltin == 1 and array.dtype.kind in "fiub" else None


def table():
    """Return the table of docs/onnx.md: for every operation how many tests there are, and what came of them."""
    with tempfile.TemporaryDirectory() as folder:
        results = [run(case, Path(folder)) for case in node_tests().values()]
    lines = [
        "| operation | tests | as layers | first output | as constants | not applicable |",
        "|---|---|---|---|---|---|",
    ]
    for op in (*sorted({result.op for result in results}), "all"):
        own = [result for result in results if op in (result.op, "all")]
        counts = Counter(result.how for result in own)
        reasons = Counter(result.reason for result in own if result.reason)
        why = (
            "; ".join(f"{count}: {reason}" for reason, count in sorted(reasons.items()))
            if op != "all"
            else counts[""]
        )
        cells = [op, len(own), counts["all"], counts["first output"], counts["folded"], why]
        lines.append("| " + " | ".join(str(cell) if cell else "" for cell in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
