"""Networks that PyTorch wrote: their outputs, all their gradients, a check, and one weight explained."""

import warnings

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("torch")

import whygrad
from tests.interop.torch_networks import mobilenet_v2, resnet18
from tests.ops.peers import pytorch

NETWORKS = {"resnet18": resnet18, "mobilenet_v2": mobilenet_v2}
SIZE = 48
# float32 inputs in float64: what is left is rounding of some thousand products.
EXACT = 1e-9


def export(model, path, *, size=SIZE, optimize=False):
    """Write a PyTorch model by ``torch.onnx``, with a batch axis of any size."""
    torch = pytorch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),
            path,
            dynamo=True,
            optimize=optimize,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    return path


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    """A network in PyTorch, and its file."""
    torch = pytorch()
    torch.manual_seed(0)
    model = NETWORKS[request.param]()
    return model, export(model, tmp_path_factory.mktemp("onnx") / f"{request.param}.onnx")


@pytest.fixture(scope="module")
def thin(tmp_path_factory):
    """A narrow ResNet-18, as a check of a few seconds needs."""
    pytorch().manual_seed(1)
    return whygrad.load_onnx(export(resnet18(width=8), tmp_path_factory.mktemp("onnx") / "thin.onnx"))


def in_float64(params):
    return {name: array.astype(np.float64) for name, array in params.items()}


def assert_near(ours, theirs, tolerance=EXACT):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def test_outputs_and_all_gradients_are_those_of_pytorch(exported):
    model, path = exported
    torch = pytorch()
    network, params = whygrad.load_onnx(path)
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(3, 3, SIZE, SIZE)), rng.normal(size=(3, 10))
    y, pullback, _ = network(in_float64(params), x)
    dx, gradients = pullback(dy)

    theirs = model.double()
    theirs.zero_grad()
    given = torch.tensor(x, requires_grad=True)
    wanted = theirs(given)
    wanted.backward(torch.tensor(dy))
    assert_near(y, wanted.detach().numpy())
    assert_near(dx, given.grad.numpy())
    named = dict(theirs.named_parameters())
    assert set(gradients) == set(named)
    for name, tensor in named.items():
        assert_near(gradients[name], tensor.grad.numpy())
    running = {name for name in theirs.state_dict() if "running" in name}
    assert set(params) == set(named) | running
    model.float()


def test_a_step_of_training_is_that_of_pytorch(exported):
    """Batch normalisation takes the statistics of the batch, and its running ones move alike."""
    model, path = exported
    torch = pytorch()
    network, params = whygrad.load_onnx(path)
    params = in_float64(params)
    dropouts = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    x = np.random.default_rng(1).normal(size=(4, 3, SIZE, SIZE))
    model.double().train()
    for module in dropouts:
        module.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        wanted = model(torch.tensor(x)).detach().numpy()
        after = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    finally:
        model.load_state_dict(before)
        model.eval().float()
    nodes = {
        name: node._replace(layer=whygrad.layers.Dropout(0.0)) if "dropout" in repr(node.layer).lower() else node
        for name, node in network.nodes.items()
    }
    network = whygrad.Graph(nodes, inputs=network.inputs, outputs=network.outputs)
    y, _, changed = network(params, x, training=True, rng=np.random.default_rng(0))
    assert_near(y, wanted)
    assert set(changed) == {name for name in params if "running" in name}
    for name, array in changed.items():
        assert_near(array, after[name])


def test_onnxruntime_gives_the_same(exported):
    onnxruntime = pytest.importorskip("onnxruntime")
    _, path = exported
    network, params = whygrad.load_onnx(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(2).normal(size=(2, 3, SIZE, SIZE)).astype(np.float32)
    (wanted,) = session.run(None, {session.get_inputs()[0].name: x})
    assert_near(network(params, x)[0], wanted, 1e-5)


def test_what_the_exporter_joined_has_the_gradients_of_what_pytorch_joins(tmp_path):
    """The exporter makes batch normalisation a part of the convolution before it, as PyTorch can do itself."""
    torch = pytorch()
    torch.manual_seed(3)
    model = resnet18(width=8)
    network, params = whygrad.load_onnx(export(model, tmp_path / "joined.onnx", optimize=True))
    assert not any(isinstance(node.layer, whygrad.layers.BatchNorm2d) for node in network.nodes.values())
    joined = torch.nn.utils.fusion.fuse_conv_bn_eval(model.conv1, model.bn1).double()
    np.testing.assert_allclose(params["conv1.weight"], joined.weight.detach().numpy(), rtol=1e-5, atol=1e-7)
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(2, 3, SIZE, SIZE)), rng.normal(size=(2, 10))
    _, pullback, _ = network(in_float64(params), x)
    _, gradients = pullback(dy)

    own = model.double()
    own.conv1, own.bn1 = joined, torch.nn.Identity()
    own(torch.tensor(x)).backward(torch.tensor(dy))
    assert_near(gradients["conv1.weight"], joined.weight.grad.numpy(), 1e-5)
    assert_near(gradients["fc.weight"], own.fc.weight.grad.numpy(), 1e-5)


def test_it_passes_the_check(thin):
    network, params = thin
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 32))
    report = whygrad.check_model(network, params, x, np.array([1, 7]), training=False)
    assert report.right, report
    assert {row.name for row in report} == {name for name, p in network.parameters().items() if p.trained} | {
        "input"
    }


@pytest.mark.slow
def test_in_full_width_it_passes_the_check(exported):
    network, params = whygrad.load_onnx(exported[1])
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 32))
    report = whygrad.check_model(network, params, x, np.array([1, 7]), training=False)
    assert report.right, report


def test_one_weight_is_explained(exported):
    network, params = whygrad.load_onnx(exported[1])
    x = np.random.default_rng(0).normal(size=(1, 3, 32, 32))
    explainer = whygrad.explain(network, params, x, np.array([3]))
    name = next(name for name in params if name.endswith("weight"))
    weight = explainer.parameter(name, 0, 0, 1, 1)
    assert weight.agrees
    assert len(weight.parts[0].terms) > 50
    assert weight.sentence.startswith("This weight was used at")


def test_it_trains(thin):
    network, params = thin
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(16, 3, 32, 32)).astype(np.float32), rng.integers(0, 10, 16)
    losses = []
    for step in whygrad.fit(
        network,
        params,
        x,
        labels,
        loss=whygrad.cross_entropy,
        optimizer=whygrad.Adam(0.003),
        rng=rng,
        epochs=6,
        batch_size=8,
    ):
        losses.append(step.loss)
    assert np.mean(losses[-2:]) < 0.5 * np.mean(losses[:2])
