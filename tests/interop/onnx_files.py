"""ONNX files put together by hand, for the tests of reading."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def arrays(**by_name):
    """Return initializers."""
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in by_name.items()]


def value(name, shape, kind=TensorProto.FLOAT):
    """Return the declaration of an input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, initializers=(), *, opset=20, functions=()):
    """Return a model; nodes are (op, inputs, outputs, attributes)."""
    made = [
        node
        if isinstance(node, onnx.NodeProto)
        else helper.make_node(node[0], node[1], node[2], **(node[3] if len(node) > 3 else {}))
        for node in nodes
    ]
    graph = helper.make_graph(made, "test", inputs, outputs, list(initializers))
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9, functions=list(functions)
    )


def write(path, *arguments, **options):
    """Write such a model and return its path."""
    path.write_bytes(model(*arguments, **options).SerializeToString())
    return path


def small():
    """Return a network with every way in which tensors stand in a file, as bytes."""
    rng = np.random.default_rng(0)
    weight = helper.make_tensor("conv.weight", TensorProto.FLOAT, (2, 1, 3, 3), rng.normal(size=18).tolist())
    nodes = [
        ("Conv", ["x", "conv.weight", "conv.bias"], ["a"], {"pads": [1, 1, 1, 1]}),
        ("Shape", ["a"], ["s"]),
        ("Constant", [], ["i"], {"value": numpy_helper.from_array(np.array([0]))}),
        ("Gather", ["s", "i"], ["n"]),
        ("Constant", [], ["rest"], {"value_ints": [-1]}),
        ("Concat", ["n", "rest"], ["shape"], {"axis": 0}),
        ("Reshape", ["a", "shape"], ["flat"]),
        ("Gemm", ["flat", "fc.weight"], ["y"], {"transB": 1}),
    ]
    parameters = {"fc.weight": rng.normal(size=(3, 32)).astype(np.float32), "conv.bias": np.zeros(2, np.float32)}
    return model(nodes, [value("x", ["N", 1, 4, 4])], [value("y", ["N", 3])], [weight, *arrays(**parameters)])
