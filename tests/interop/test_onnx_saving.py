"""Networks written as ONNX files: what other programs make of them, and what comes back."""

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import onnxruntime

import whygrad
from tests.layers.shared import draw
from tests.ops.shared import refusal
from whygrad import layers
from whygrad.errors import FileError, OptionError, ShapeError
from whygrad.interop.onnx.writers import WRITERS
from whygrad.layers import Graph, Layer, Residual, Sequential
from whygrad.models import MODELS

AGREES = 1e-5  # of the largest entry, in float32


def run(path, *inputs):
    """Return what onnxruntime makes of a file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip((one.name for one in session.get_inputs()), inputs, strict=True)))


def assert_agrees(path, model, params, *shapes, batches=(1, 3), dtype=np.float32):
    """Require onnxruntime and the network read back to give what the model gives, for several sizes of batches."""
    again, back = whygrad.load_onnx(path)
    for n in batches:
        rng = np.random.default_rng(n)
        inputs = [rng.normal(size=(n, *shape)).astype(dtype) for shape in shapes]
        y, _, _ = model(params, *inputs)
        values = y if isinstance(y, tuple) else (y,)
        theirs = run(path, *inputs)
        ours = again(back, *inputs)[0]
        for value, wanted, read in zip(values, theirs, ours if isinstance(ours, tuple) else (ours,), strict=True):
            assert value.shape == wanted.shape == read.shape
            scale = AGREES * max(1.0, np.abs(value).max())
            np.testing.assert_allclose(wanted, value, rtol=0, atol=scale)
            np.testing.assert_allclose(read, value, rtol=0, atol=scale)
    return again, back


@pytest.mark.parametrize("name", MODELS)
def test_every_ready_model_runs_elsewhere_and_comes_back(name, tmp_path):
    model = MODELS[name]()
    params = draw(model, dtype=np.float32)
    params = {key: a * (0.1 if key.endswith("weight") and a.ndim > 1 else 1) for key, a in params.items()}
    whygrad.save_onnx(tmp_path / "model.onnx", model, params)
    _, back = assert_agrees(tmp_path / "model.onnx", model, params, model.input_shape)
    assert back.keys() == params.keys()
    for key, array in back.items():
        np.testing.assert_array_equal(array, params[key])


LAYERS = [
    (layers.Scale((3, 1, 1)), (3, 4, 5)),
    (layers.Scale((1, 1, 5), bias=False), (3, 4, 5)),
    (layers.AvgPool2d(2), (3, 4, 6)),
    (layers.AvgPool2d(3, 2, padding=1), (3, 5, 6)),
    (layers.AvgPool2d(3, 2, padding=1, ceil_mode=True), (3, 6, 7)),
    (layers.AvgPool2d((3, 2), 2, padding=1, ceil_mode=True, count_include_pad=False), (3, 6, 5)),
    (layers.AvgPool2d(2, ceil_mode=True), (3, 5, 5)),
    (layers.BatchNorm2d(3, eps=0.01), (3, 4, 5)),
    (layers.Clip(0, 0.5), (3, 4)),
    (layers.Clip(low=-0.5), (3, 4)),
    (layers.Clip(2, 1), (3, 4)),
    (layers.Conv2d(3, 4, (3, 2), stride=(1, 2), padding=(2, 0, 1, 3)), (3, 5, 6)),
    (layers.Conv2d(4, 6, 3, padding="same", stride=2, groups=2, bias=False), (4, 7, 6)),
    (layers.Conv2d(2, 3, 2, dilation=2, bias=(3, 4)), (2, 5, 6)),
    (layers.ConvTranspose2d(3, 4, (3, 2)), (3, 3, 4)),
    (layers.ConvTranspose2d(2, 4, 3, stride=2, padding=(1, 0, 1, 2), output_padding=1, groups=2), (2, 3, 4)),
    (layers.ConvTranspose2d(2, 2, 2, stride=2, bias=(6, 8)), (2, 3, 4)),
    (layers.Dropout(0.4), (3, 4)),
    (layers.ELU(0.7), (3, 4)),
    (layers.Flatten(), (3, 4, 5)),
    (layers.GELU(), (3, 4)),
    (layers.GELU("tanh"), (3, 4)),
    (layers.GlobalAvgPool2d(), (3, 4, 5)),
    (layers.LRN(3, alpha=0.5, beta=0.6, k=2.0), (5, 3, 4)),
    (layers.LayerNorm((4, 5), eps=0.1), (3, 4, 5)),
    (layers.LayerNorm(4), (4,)),
    (layers.LeakyReLU(0.3), (3, 4)),
    (layers.Linear(4, 5), (4,)),
    (layers.Linear(4, 5, bias=False), (4,)),
    (layers.LogSoftmax(), (4,)),
    (layers.LogSoftmax(-1), (3, 4)),
    (layers.MaxPool2d(2), (3, 4, 6)),
    (layers.MaxPool2d(3, 2, padding=1, ceil_mode=True), (3, 6, 7)),
    (layers.MaxPool2d(2, 1, dilation=2), (3, 5, 6)),
    (layers.Pad2d((1, 0, 2, 3), value=0.5), (3, 4, 5)),
    (layers.Pad2d(2, mode="reflect"), (3, 4, 5)),
    (layers.Pad2d((0, 1, 2, 0), mode="replicate"), (3, 4, 5)),
    (layers.ReLU(), (3, 4)),
    (layers.Reshape((2, 3, 10)), (3, 4, 5)),
    (layers.SiLU(), (3, 4)),
    (layers.Sigmoid(), (3, 4)),
    (layers.Softmax(), (3, 4, 5)),
    (layers.Softplus(), (3, 4)),
    (layers.Take2d((2, 0), (0, 0, 4, 1)), (2, 3, 5)),
    (layers.Take2d((0, 1), (0, 1)), (2, 2, 2)),
    (layers.Tanh(), (3, 4)),
    (layers.Transpose((0, 3, 1, 2)), (3, 4, 5)),
    (layers.UpsampleNearest2d((3, 2)), (2, 3, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=[repr(layer) for layer, _ in LAYERS])
def test_every_layer_runs_elsewhere_and_comes_back(layer, shape, tmp_path):
    model = Sequential(only=layer)
    params = draw(model, dtype=np.float32)
    whygrad.save_onnx(tmp_path / "layer.onnx", model, params, input_shapes=shape)
    assert_agrees(tmp_path / "layer.onnx", model, params, shape)


def test_parameters_in_float64_make_a_file_in_float64(tmp_path):
    model = Sequential(flatten=layers.Flatten(), fc=layers.Linear(40, 4), relu=layers.ReLU())
    params = draw(model)
    whygrad.save_onnx(tmp_path / "model.onnx", model, params, input_shapes=(2, 4, 5))
    _, back = assert_agrees(tmp_path / "model.onnx", model, params, (2, 4, 5), dtype=np.float64)
    assert {array.dtype for array in back.values()} == {np.dtype(np.float64)}


def test_no_layer_is_left_out():
    joining = {layers.Add, layers.Mul, layers.Concat}
    assert set(WRITERS) == {type(layer) for layer, _ in LAYERS} | joining
    leaves = {kind for kind in vars(layers).values() if isinstance(kind, type) and issubclass(kind, Layer)}
    assert leaves - set(WRITERS) == {Layer, Sequential, Residual, Graph}


def branched():
    """Return a graph of two inputs and two outputs, with shared parameters and a network within."""
    conv = layers.Conv2d(2, 2, 3, padding=1)
    return Graph(
        {
            "left": layers.Node(conv, ("a",), "shared"),
            "right": layers.Node(conv, ("b",), "shared"),
            "inner": (Residual(Sequential(bn=layers.BatchNorm2d(2)), activation=layers.ReLU()), "left"),
            "sum": (layers.Add(), "inner", "right"),
            "mean": (layers.GlobalAvgPool2d(), "sum"),
            "gate": (layers.Sigmoid(), "mean"),
            "gated": (layers.Mul(), "sum", "gate"),
            "both": (layers.Concat(), "gated", "a"),
        },
        inputs=("a", "b"),
        outputs=("both", "mean"),
        input_shapes=((2, 4, 5), (2, 4, 5)),
    )


def test_a_graph_of_several_inputs_and_outputs_with_shared_parameters(tmp_path):
    model = branched()
    params = draw(model, dtype=np.float32)
    whygrad.save_onnx(tmp_path / "graph.onnx", model, params)
    again, back = assert_agrees(tmp_path / "graph.onnx", model, params, (2, 4, 5), (2, 4, 5))
    assert back.keys() == params.keys()
    assert again.inputs == ("a", "b")
    x = np.random.default_rng(0).normal(size=(2, 2, 2, 4, 5)).astype(np.float32)
    _, pullback, _ = model(params, *x)
    (y, z), pullback_again, _ = again(back, *x)
    wanted, gradients = pullback((y, z))[1], pullback_again((y, z))[1]
    assert gradients.keys() == wanted.keys()
    for name, array in gradients.items():
        np.testing.assert_allclose(array, wanted[name], rtol=1e-4, atol=1e-4)


def test_the_file_is_checked_names_things_and_has_a_batch_of_any_size(tmp_path):
    model = MODELS["lenet5"]()
    path = tmp_path / "model.onnx"
    whygrad.save_onnx(path, model, model.init(np.random.default_rng(0)), metadata={"classes": "[]"})
    read = onnx.load(path)
    onnx.checker.check_model(read, full_check=True)
    assert [d.dim_param or d.dim_value for d in read.graph.input[0].type.tensor_type.shape.dim] == ["N", 1, 28, 28]
    assert [d.dim_param or d.dim_value for d in read.graph.output[0].type.tensor_type.shape.dim] == ["N", 10]
    assert {tensor.name for tensor in read.graph.initializer} == set(model.parameters())
    assert [node.name for node in read.graph.node][:2] == ["conv1", "relu1"]
    assert (read.producer_name, read.producer_version) == ("whygrad", whygrad.__version__)
    assert {one.key: one.value for one in read.metadata_props} == {"classes": "[]"}


class Own(Layer):
    """Somebody's own layer."""

    def __call__(self, params, *inputs, training=False, rng=None):
        return inputs[0], lambda dy, **_: (dy, {}), {}

    def output_shape(self, *shapes):
        return shapes[0]


def test_layers_that_onnx_does_not_know_are_all_named(tmp_path):
    model = Sequential(a=Own(), relu=layers.ReLU(), block=Sequential(b=Own()))
    with refusal(OptionError, "save_onnx: expected layers that ONNX knows, received a (Own), block.b (Own); build"):
        whygrad.save_onnx(tmp_path / "model.onnx", model, {}, input_shapes=(3,))
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_asked_for(tmp_path):
    model = Sequential(fc1=layers.Linear(3, 2))
    params = model.init(np.random.default_rng(0))
    path = tmp_path / "model.onnx"
    with refusal(OptionError, "save_onnx: expected the shape of one sample of the input, received none; pass"):
        whygrad.save_onnx(path, model, params)
    with refusal(OptionError, "parameters: expected an entry 'fc1.weight', received none"):
        whygrad.save_onnx(path, model, {}, input_shapes=(3,))
    with refusal(ShapeError, "fc1 (linear): expected samples of 3 features, received (4,)"):
        whygrad.save_onnx(path, model, params, input_shapes=(4,))
    with refusal(ShapeError, "save_onnx: expected 2 input_shapes, received 1; pass one for each input"):
        whygrad.save_onnx(path, branched(), branched().init(np.random.default_rng(0)), input_shapes=(2, 4, 5))
    mixed = {**params, "fc1.bias": params["fc1.bias"].astype(np.float64)}
    with refusal(OptionError, "save_onnx: expected parameters of one dtype, received float32, float64"):
        whygrad.save_onnx(path, model, mixed, input_shapes=(3,))
    with refusal(FileError, "expected a place that can be written to"):
        whygrad.save_onnx(tmp_path / "none" / "model.onnx", model, params, input_shapes=(3,))


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    model = Sequential(fc1=layers.Linear(3, 2))
    params = model.init(np.random.default_rng(0))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with refusal(FileError, "No space left on device"):
        whygrad.save_onnx(path, model, params, input_shapes=(3,))
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]
