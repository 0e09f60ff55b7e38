"""What is read from ONNX files, and what is refused, with its place and all at once."""

import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

import whygrad
from tests.interop.onnx_files import arrays, model, small, value, write
from tests.ops.shared import refusal
from whygrad import layers
from whygrad.errors import DependencyError, FileError, OptionError, WhygradError
from whygrad.interop.onnx import load_onnx
from whygrad.interop.onnx.folding import _TABLE
from whygrad.interop.onnx.mappers import MAPPERS

IMAGE = [value("x", ["N", 2, 4, 4])]
OUT = [value("y", None)]


def layers_of(network):
    return [node.layer for node in network.nodes.values()]


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_a_batch_that_the_file_fixes_takes_any_size(tmp_path):
    nodes = [("Reshape", ["x", "shape"], ["flat"]), ("MatMul", ["flat", "w"], ["y"])]
    path = write(
        tmp_path / "m.onnx", nodes, [value("x", [1, 2, 3])], OUT, arrays(shape=np.array([1, 6]), w=normal(6, 4))
    )
    network, params = load_onnx(path)
    assert network(params, normal(5, 2, 3))[0].shape == (5, 4)


def test_a_sum_with_a_constant_becomes_the_bias_of_the_layer_before(tmp_path):
    """So Keras' networks come out as convolutions and dense layers, each with its bias."""
    nodes = [
        ("Conv", ["x", "w"], ["a"], {"kernel_shape": [3, 3]}),
        ("Add", ["a", "b"], ["c"]),
        ("Transpose", ["c"], ["d"], {"perm": [0, 2, 3, 1]}),
        ("Reshape", ["d", "shape"], ["e"]),
        ("MatMul", ["e", "v"], ["f"]),
        ("Add", ["f", "u"], ["y"]),
    ]
    shape = np.array([-1, 12])
    given = arrays(w=normal(3, 2, 3, 3), b=normal(3, 1, 1), shape=shape, v=normal(12, 5), u=normal(5))
    network, params = load_onnx(write(tmp_path / "m.onnx", nodes, IMAGE, OUT, given))
    kinds = [type(layer).__name__ for layer in layers_of(network)]
    assert kinds == ["Conv2d", "Transpose", "Reshape", "Linear"]
    assert {name: array.shape for name, array in params.items()} == {
        "conv.weight": (3, 2, 3, 3), "conv.bias": (3,), "matmul.weight": (5, 12), "matmul.bias": (5,),
    }  # fmt: skip


def test_a_sum_that_is_not_the_only_reader_stays_a_sum(tmp_path):
    nodes = [
        ("Conv", ["x", "w"], ["a"]),
        ("Add", ["a", "b"], ["c"]),
        ("Add", ["a", "c"], ["y"]),
    ]
    given = arrays(w=normal(3, 2, 1, 1), b=normal(3, 1, 1))
    network, params = load_onnx(write(tmp_path / "m.onnx", nodes, IMAGE, OUT, given))
    assert [type(layer).__name__ for layer in layers_of(network)] == ["Conv2d", "Scale", "Add"]
    x = normal(2, 2, 4, 4)
    once = np.einsum("nchw,fc->nfhw", x, params["conv.weight"][:, :, 0, 0])
    np.testing.assert_allclose(network(params, x)[0], 2 * once + given_array(given, "b"), rtol=1e-5, atol=1e-5)


def given_array(initializers, name):
    return next(numpy_helper.to_array(one) for one in initializers if one.name == name)


def test_layers_with_the_same_initializers_share_their_parameters(tmp_path):
    nodes = [
        ("Conv", ["x", "w.weight"], ["a"], {"pads": [1, 1, 1, 1]}),
        ("Conv", ["a", "w.weight"], ["b"], {"pads": [1, 1, 1, 1]}),
        ("Conv", ["b", "w.weight", "c"], ["y"], {"pads": [1, 1, 1, 1]}),
    ]
    given = arrays(**{"w.weight": normal(2, 2, 3, 3), "c": normal(2)})
    network, params = load_onnx(write(tmp_path / "m.onnx", nodes, IMAGE, OUT, given))
    assert list(params) == ["w.weight", "w_2.weight", "w_2.bias"]
    x = normal(1, 2, 4, 4).astype(np.float64)
    report = whygrad.check_model(
        network,
        {name: array.astype(np.float64) for name, array in params.items()},
        x,
        np.zeros((1, 2, 4, 4)),
        loss=whygrad.half_squared_error,
    )
    assert report.right, report


def test_constants_are_not_trained_and_named_arrays_are(tmp_path):
    nodes = [
        ("Sub", ["x", "mean"], ["a"]),
        ("Div", ["a", "std"], ["b"]),
        ("Mul", ["b", "gamma"], ["c"]),
        ("Mul", ["c", "half"], ["d"]),
        ("Add", ["d", "beta"], ["y"]),
    ]
    given = arrays(
        mean=normal(1, 2, 1, 1), std=abs(normal(1, 2, 1, 1)) + 1, gamma=normal(2, 1, 1), half=np.float32(0.5),
        beta=normal(2, 1, 1),
    )  # fmt: skip
    network, params = load_onnx(write(tmp_path / "m.onnx", nodes, IMAGE, OUT, given))
    trained = [name for name, parameter in network.parameters().items() if parameter.trained]
    assert trained == ["mul.weight", "add.bias"]
    fresh = network.init(np.random.default_rng(0))
    for name in params.keys() - set(trained):
        np.testing.assert_array_equal(fresh[name], params[name])
    x = normal(3, 2, 4, 4)
    get = {one.name: numpy_helper.to_array(one) for one in given}
    wanted = (x - get["mean"]) / get["std"] * get["gamma"] * 0.5 + get["beta"]
    np.testing.assert_allclose(network(params, x)[0], wanted, rtol=1e-5, atol=1e-6)


def test_channels_are_shuffled_split_and_gated(tmp_path):
    nodes = [
        ("Reshape", ["x", "groups"], ["a"]),
        ("Transpose", ["a"], ["b"], {"perm": [0, 2, 1, 3, 4]}),
        ("Reshape", ["b", "flat"], ["c"]),
        ("Split", ["c"], ["d", "e"], {"axis": 1, "num_outputs": 2}),
        ("GlobalAveragePool", ["e"], ["g"]),
        ("HardSigmoid", ["g"], ["h"]),
        ("Mul", ["d", "h"], ["y"]),
    ]
    given = arrays(groups=np.array([0, 2, 2, 4, 4]), flat=np.array([0, 4, 4, 4]))
    network, params = load_onnx(write(tmp_path / "m.onnx", nodes, [value("x", ["N", 4, 4, 4])], OUT, given))
    x = normal(2, 4, 4, 4)
    shuffled = x[:, [0, 2, 1, 3]]
    gate = np.clip(0.2 * shuffled[:, 2:].mean(axis=(2, 3), keepdims=True) + 0.5, 0, 1)
    np.testing.assert_allclose(network(params, x)[0], shuffled[:, :2] * gate, rtol=1e-5, atol=1e-6)


def test_transposes_that_undo_each_other_leave_nothing(tmp_path):
    nodes = [
        ("Transpose", ["x"], ["a"], {"perm": [0, 2, 3, 1]}),
        ("Transpose", ["a"], ["b"], {"perm": [0, 3, 1, 2]}),
        ("Relu", ["b"], ["y"]),
    ]
    network, _ = load_onnx(write(tmp_path / "m.onnx", nodes, IMAGE, OUT))
    assert layers_of(network) == [layers.ReLU()]


def test_functions_of_the_file_are_put_in_place(tmp_path):
    own = helper.make_function(
        "own", "twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 20)]
    )
    made = model([helper.make_node("twice", ["x"], ["y"], domain="own")], IMAGE, OUT, functions=[own])
    made.opset_import.append(helper.make_opsetid("own", 1))
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    network, params = load_onnx(path)
    x = normal(1, 2, 4, 4)
    np.testing.assert_array_equal(network(params, x)[0], 2 * x)


def test_a_part_of_a_network_can_be_taken(tmp_path):
    nodes = [("Relu", ["x"], ["features"]), ("ArgMax", ["features"], ["y"])]
    path = write(tmp_path / "m.onnx", nodes, IMAGE, [value("y", None, TensorProto.INT64)])
    with refusal(FileError, "node 1 (ArgMax): there is no such operation here"):
        load_onnx(path)
    with refusal(FileError, "node 1 (ArgMax)"):
        load_onnx(path, outputs=["y"])
    network, _ = load_onnx(path, outputs=["features"])
    assert network.outputs == "relu"


def test_nodes_that_cannot_be_read_are_all_named_with_their_places(tmp_path):
    nodes = [
        helper.make_node("Erf", ["x"], ["a"], name="strange"),
        ("Relu", ["a"], ["b"]),
        helper.make_node("Own", ["b"], ["c"], domain="com.acme"),
        ("Resize", ["x", "", "scales"], ["d"], {"mode": "linear"}),
        ("Add", ["c", "d"], ["y"]),
    ]
    scales = np.array([1, 1, 2, 2], np.float32)
    path = write(tmp_path / "m.onnx", nodes, IMAGE, OUT, arrays(scales=scales))
    with pytest.raises(FileError) as caught:
        load_onnx(path)
    text = str(caught.value)
    assert f"{path}: expected operations that whygrad has, received 3 nodes without a counterpart here" in text
    assert "\n  node 0 'strange' (Erf): there is no such operation here\n" in text
    assert "\n  node 2 (com.acme.Own): there is no such operation here\n" in text
    assert "\n  node 3 (Resize): its mode is 'linear', and only the nearest pixel is known here\n" in text
    assert "Relu" not in text


def test_open_sizes_are_asked_for(tmp_path):
    path = write(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])], [value("x", ["N", 3, "H", "W"])], OUT)
    with refusal(
        OptionError, "expected the shape of one sample of input 'x', received (3, ?, ?); pass input_shapes="
    ):
        load_onnx(path)
    assert load_onnx(path, input_shapes=(3, 5, 6))[0].input_shapes == ((3, 5, 6),)
    assert load_onnx(path, input_shapes={"x": (3, 5, 6)})[0].input_shapes == ((3, 5, 6),)
    with refusal(OptionError, "expected a shape of 'x' that fits (3, ?, ?), received (4, 5, 6)"):
        load_onnx(path, input_shapes=(4, 5, 6))
    with refusal(OptionError, "expected input_shapes of x, received z; check the spelling"):
        load_onnx(path, input_shapes={"z": (3, 5, 6)})
    with refusal(OptionError, "expected an output such as y, received 'z'; check the spelling"):
        load_onnx(path, input_shapes=(3, 5, 6), outputs=["z"])


REFUSED = {
    "cycle": (
        [("Add", ["x", "b"], ["a"]), ("Relu", ["a"], ["b"]), ("Relu", ["b"], ["y"])],
        "expected a graph without cycles, received node",
    ),
    "nowhere": ([("Relu", ["z"], ["y"])], "expected inputs that some node makes, received 'z' at node 0 (Relu)"),
    "twice": ([("Relu", ["x"], ["y"]), ("Tanh", ["x"], ["y"])], "values that are made once, received 'y' again"),
    "constant": ([("Constant", [], ["y"], {"value_float": 1.0})], "that depends on an input, received a constant"),
    "fewer inputs": ([("Conv", ["x"], ["y"])], "node 0 (Conv): it is not as ONNX says"),
    "the batch": ([("Concat", ["x", "x"], ["y"], {"axis": 0})], "it works along the batch axis"),
    "mixing": ([("Reshape", ["x", "shape"], ["y"])], "its shape [3, -1] mixes samples of (2, 4, 4)"),
    "a computed shape": ([("Reshape", ["x", "x"], ["y"])], "its shape is computed by the network"),
    "an attribute of another type": ([("Concat", ["x"], ["y"], {"axis": "1"})], "axis is of another type"),
    "indices": ([("MaxPool", ["x"], ["z", "y"], {"kernel_shape": [2, 2]})], "its output 'y' is read"),
    "a huge constant": (
        [("ConstantOfShape", ["big"], ["c"]), ("Add", ["x", "c"], ["y"])], "has more than 4194304 entries"
    ),
    "huge pads": (
        [("Pad", ["x", "pads"], ["y"])], "its pads (1099511627776, 0, 0, 0) make too large an image"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_as_it_should_be_is_refused(name, tmp_path):
    nodes, text = REFUSED[name]
    given = arrays(
        shape=np.array([3, -1]), big=np.array([2**40]), pads=np.array([0, 0, 2**40, 0, 0, 0, 0, 0])
    )  # fmt: skip
    with refusal(FileError, text):
        load_onnx(write(tmp_path / "m.onnx", nodes, IMAGE, OUT, given))


@pytest.mark.parametrize(("opset", "text"), [(8, "received 8"), (99, "received 99")])
def test_versions_that_nobody_here_knows_are_refused(opset, text, tmp_path):
    path = write(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])], IMAGE, OUT, opset=opset)
    newest = onnx.defs.onnx_opset_version()
    with refusal(FileError, f"expected operations of version 9 to {newest}, {text}"):
        load_onnx(path)


def test_inputs_of_other_types_are_refused(tmp_path):
    path = write(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])], [value("x", ["N", 3], TensorProto.UINT8)], OUT)
    with refusal(
        FileError, "expected input 'x' of float32 or float64, received uint8; export the model for float32"
    ):
        load_onnx(path)


# Data in other files


def external(location, tmp_path, **entries):
    """Write a model whose weights are said to stand in another file."""
    made = model([("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 2])], OUT)
    tensor = made.graph.initializer.add()
    tensor.name, tensor.data_type, tensor.data_location = "w", TensorProto.FLOAT, TensorProto.EXTERNAL
    tensor.dims.extend([2, 3])
    for key, text in {"location": location, **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    path = tmp_path / "model" / "m.onnx"
    path.parent.mkdir()
    path.write_bytes(made.SerializeToString())
    return path


def test_data_beside_the_model_is_read(tmp_path):
    path = external("w.bin", tmp_path, offset="8", length="24")
    weights = normal(2, 3)
    (path.parent / "w.bin").write_bytes(b"12345678" + weights.tobytes())
    _, params = load_onnx(path)
    np.testing.assert_array_equal(params["matmul.weight"], weights.T)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "", "..\\secret", "C:secret"])
def test_data_outside_the_model_s_folder_is_refused(location, tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * 24)
    with refusal(FileError, "expected a file in the model's folder for its data in the initializer 'w', received"):
        load_onnx(external(location, tmp_path))


def test_a_link_out_of_the_model_s_folder_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * 24)
    path = external("link", tmp_path)
    (path.parent / "link").symlink_to(tmp_path / "secret")
    with refusal(FileError, "a link that leads out of it"):
        load_onnx(path)


@pytest.mark.parametrize(
    "entries",
    [{"length": "23"}, {"offset": "1"}, {"offset": "-8"}, {"length": str(2**60)}, {"offset": "many"}],
)
def test_data_that_the_other_file_does_not_hold_is_refused(entries, tmp_path):
    path = external("w.bin", tmp_path, **entries)
    (path.parent / "w.bin").write_bytes(b"x" * 24)
    with pytest.raises(FileError, match=r"in the initializer 'w', received"):
        load_onnx(path)


# Damaged files


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "expected a readable file, received No such file or directory; check the path"),
        (b"", "expected an ONNX file with a graph, received none; check that it is the right file"),
        (b"\xff" * 64, "expected a whole ONNX file, received"),
        (b"PK\x03\x04nonsense", "expected a whole ONNX file, received"),
    ],
)
def test_files_of_another_kind_are_refused(content, text, tmp_path):
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with refusal(FileError, text):
        load_onnx(path)


@pytest.mark.parametrize("dims", [[2**40, 2**40], [-1], [2**62], [3, 2]])
def test_sizes_that_the_file_does_not_hold_are_refused(dims, tmp_path):
    made = small()
    del made.graph.initializer[1].dims[:]
    made.graph.initializer[1].dims.extend(dims)
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(FileError, match=r"in the initializer 'fc.weight', received"):
        load_onnx(path)


def test_functions_that_call_themselves_or_each_other_too_often_are_refused(tmp_path):
    def function(name, *calls):
        body = [helper.make_node(call, ["a"], ["b" if i == len(calls) - 1 else f"t{i}"], domain="own")
                for i, call in enumerate(calls)]  # fmt: skip
        return helper.make_function("own", name, ["a"], ["b"], body, [helper.make_opsetid("own", 1)])

    for functions, text in (
        ([function("f0", "f0")], "functions that do not call themselves"),
        ([function(f"f{i}", *[f"f{i + 1}"] * 10) for i in range(40)], "expected at most 100000 nodes"),
    ):
        made = model([helper.make_node("f0", ["x"], ["y"], domain="own")], IMAGE, OUT, functions=functions)
        path = tmp_path / "m.onnx"
        path.write_bytes(made.SerializeToString())
        with refusal(FileError, text):
            load_onnx(path)


def read_and_run(content, path):
    """Read a damaged file; if it can be read, the network runs or refuses, too."""
    path.write_bytes(content)
    with suppress(WhygradError), np.errstate(all="ignore"):
        network, params = load_onnx(path)
        network(params, *(np.ones((2, *shape), np.float32) for shape in network.input_shapes))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_a_clear_error_or_a_network(data, tmp_path):
    content = bytearray(small().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["flip", "cut", "insert", "swap"]))
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        if kind == "flip" and content:
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(max_size=12))
        elif content:
            content[at] = data.draw(st.integers(0, 255))
    read_and_run(bytes(content), tmp_path / "m.onnx")


SIZES = st.one_of(st.integers(-2, 9), st.sampled_from([2**20, 2**31, 2**40, 2**62]))
NUMBERS = st.sampled_from([0.0, -1.0, 0.5, 2.0, 1e30, float("nan"), float("inf")])
WORDS = st.sampled_from(
    ["SAME_UPPER", "SAME_LOWER", "nearest", "reflect", "wrap", "edge", "tanh", "CRD", "floor", "?"]
)
LISTS = st.lists(SIZES, min_size=1, max_size=6)
ATTRIBUTES = {
    **dict.fromkeys(
        ("kernel_shape", "pads", "strides", "dilations", "axes", "output_shape", "perm", "split"), LISTS
    ),
    **dict.fromkeys(("axis", "group", "keepdims", "size", "ceil_mode", "blocksize", "transA", "to"), SIZES),
    **dict.fromkeys(("alpha", "beta", "epsilon", "ratio", "min", "max"), NUMBERS),
    **dict.fromkeys(("mode", "auto_pad", "approximate", "nearest_mode"), WORDS),
}
CONSTANTS = st.one_of(
    st.lists(SIZES, max_size=6).map(lambda sizes: np.array(sizes, np.int64)),
    SIZES.map(lambda size: np.array(size, np.int64)),
    st.lists(NUMBERS, max_size=5).map(lambda numbers: np.array(numbers, np.float32)),
    st.lists(st.integers(0, 4), min_size=1, max_size=4).map(lambda shape: np.ones(shape, np.float32)),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_node_is_read_or_refused(data, tmp_path):
    """Attributes, constants and sizes are drawn for every operation; what a file claims is not allocated."""
    op = data.draw(st.sampled_from(sorted({*MAPPERS, *_TABLE})))
    chosen = data.draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), unique=True, max_size=4))
    attributes = {name: data.draw(ATTRIBUTES[name]) for name in chosen}
    inputs = data.draw(st.lists(st.sampled_from(["x", "c", "d", "s", ""]), max_size=4))
    constants = {name: data.draw(CONSTANTS) for name in "cd"}
    shape = ["N", *data.draw(st.lists(st.one_of(st.integers(1, 6), SIZES), max_size=4))]
    made = model(
        [("Shape", ["x"], ["s"]), (op, ["x", *inputs], ["y"], attributes)],
        [value("x", shape)],
        OUT,
        arrays(**constants),
        opset=data.draw(st.sampled_from([9, 11, 13, 18, 20])),
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with suppress(WhygradError):
        load_onnx(path, batched=data.draw(st.booleans()))


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    from whygrad.interop.onnx.package import onnx as package

    package.cache_clear()
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in ("onnx.checker", "onnx.helper", "onnx.inliner", "onnx.numpy_helper"):
        monkeypatch.setitem(sys.modules, name, None)
    try:
        remedy = "install it with: pip install 'whygrad[onnx]'"
        expected = f"whygrad.interop.onnx: expected the package onnx, received none; {remedy}"
        with refusal(DependencyError, expected):
            load_onnx(tmp_path / "m.onnx")
    finally:
        package.cache_clear()
