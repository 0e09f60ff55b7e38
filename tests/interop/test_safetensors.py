"""Parameters that go to PyTorch and come from it, under its names."""

import numpy as np
import pytest
import safetensors.numpy
from safetensors.numpy import save_file

import whygrad
from tests.ops.peers import needs_torch, pytorch
from tests.ops.shared import refusal
from whygrad.errors import FileError
from whygrad.layers import BatchNorm2d, Conv2d, Linear, Sequential
from whygrad.models import lenet5, resnet20


def torch_resnet20(classes=10):
    """Return ResNet-20 in plain PyTorch, with torchvision's names for ResNets."""
    nn = pytorch().nn

    class Block(nn.Module):
        def __init__(self, channels, filters, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(filters)
            self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(filters)
            self.downsample = None
            if stride != 1:
                self.downsample = nn.Sequential(
                    nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
                )

        def forward(self, x):
            side = x if self.downsample is None else self.downsample(x)
            y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
            return nn.functional.relu(y + side)

    class ResNet20(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
            self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
            self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
            self.fc = nn.Linear(64, classes)

        def forward(self, x):
            x = nn.functional.relu(self.bn1(self.conv1(x)))
            return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))

    return ResNet20()


def assert_alike(model, params, theirs):
    """Require outputs and all gradients in training to be those of PyTorch."""
    torch = pytorch()
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(3, 3, 16, 16)), rng.normal(size=(3, 10))
    y, pullback, _ = model({name: a.astype(np.float64) for name, a in params.items()}, x, training=True)
    _, gradients = pullback(dy)
    wanted = theirs.double().train()(torch.tensor(x))
    wanted.backward(torch.tensor(dy))
    np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=0, atol=1e-9)
    named = dict(theirs.named_parameters())
    assert set(gradients) == set(named)
    for name, tensor in named.items():
        largest = tensor.grad.abs().max().item()
        np.testing.assert_allclose(gradients[name], tensor.grad.numpy(), rtol=0, atol=1e-9 * max(1, largest))


@needs_torch
def test_a_state_dict_of_pytorch_loads_and_computes_the_same(tmp_path):
    from safetensors.torch import save_file as save_torch

    pytorch().manual_seed(0)
    theirs = torch_resnet20()
    save_torch(theirs.state_dict(), tmp_path / "resnet20.safetensors")
    model = resnet20()
    params = whygrad.load_safetensors(tmp_path / "resnet20.safetensors", model)
    assert list(params) == list(model.parameters())
    assert_alike(model, params, theirs)


@needs_torch
def test_parameters_go_to_pytorch_and_compute_the_same(tmp_path):
    from safetensors.torch import load_file

    model = resnet20()
    params = model.init(np.random.default_rng(1))
    whygrad.save_safetensors(tmp_path / "resnet20.safetensors", params)
    theirs = torch_resnet20()
    theirs.load_state_dict(load_file(tmp_path / "resnet20.safetensors"), strict=True)
    assert_alike(model, params, theirs)


def test_there_and_back_is_the_same_to_the_last_bit(tmp_path):
    model = lenet5()
    params = model.init(np.random.default_rng(0), np.float64)
    whygrad.save_safetensors(tmp_path / "a.safetensors", params)
    again = whygrad.load_safetensors(tmp_path / "a.safetensors", model)
    assert list(again) == list(model.parameters())
    for name, array in again.items():
        np.testing.assert_array_equal(array, params[name])
        assert array.dtype == np.float64


SMALL = Sequential(conv1=Conv2d(1, 2, 3, bias=False), bn1=BatchNorm2d(2))
FITTING = {"conv1.weight": np.zeros((2, 1, 3, 3), np.float32)} | {
    f"bn1.{name}": np.ones(2, np.float32) for name in ("weight", "bias", "running_mean", "running_var")
}


def test_counters_of_batches_are_left_out(tmp_path):
    save_file(FITTING | {"bn1.num_batches_tracked": np.array(7)}, tmp_path / "a.safetensors")
    assert whygrad.load_safetensors(tmp_path / "a.safetensors", SMALL).keys() == FITTING.keys()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bn1.bias": None}, "received one that lacks bn1.bias; build the network that the file was written for"),
        ({"fc.bias": np.ones(2, np.float32)}, "received one that has besides fc.bias;"),
        (
            {"conv1.weight": np.ones((2, 1, 5, 5), np.float32)},
            "has in other shapes or types conv1.weight of shape (2, 1, 5, 5) and float32 for (2, 1, 3, 3)",
        ),
        ({"bn1.bias": np.ones(2, np.float16)}, "bn1.bias of shape (2,) and float16 for (2,)"),
        (
            {"conv1.weight": None, "conv.weight": np.ones(1, np.float32)},
            "one that lacks conv1.weight; one that has besides conv.weight;",
        ),
    ],
)
def test_what_does_not_fit_is_named_all_at_once(tmp_path, change, text):
    path = tmp_path / "a.safetensors"
    save_file({name: a for name, a in (FITTING | change).items() if a is not None}, path)
    with refusal(FileError, f"{path}: expected the 5 arrays of the network, float32 or float64, received one that"):
        whygrad.load_safetensors(path, SMALL)
    with refusal(FileError, text):
        whygrad.load_safetensors(path, SMALL)


def test_many_names_are_cut_short(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"other": np.zeros(1, np.float32)}, path)
    with refusal(FileError, "and 101 more"):
        whygrad.load_safetensors(path, Sequential(resnet=resnet20(), fc=Linear(10, 2)))


@pytest.mark.parametrize("content", [b"", b"nonsense", safetensors.numpy.save(FITTING)[:-5]])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with refusal(FileError, f"{path}: expected a whole safetensors file, received"):
        whygrad.load_safetensors(path, SMALL)


def test_a_missing_file_is_refused(tmp_path):
    with refusal(FileError, "expected a readable file, received No such file or directory; check the path"):
        whygrad.load_safetensors(tmp_path / "none.safetensors", SMALL)
