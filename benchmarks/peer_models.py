"""The networks as people write them in PyTorch. Imports no whygrad."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.networks import CLASSES


def _chain(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def _sigmoids(_shape: tuple[int, ...]) -> nn.Module:
    return _chain(
        conv1=nn.Conv2d(1, 1, 3, padding=1),
        sigmoid1=nn.Sigmoid(),
        conv2=nn.Conv2d(1, 1, 3, padding=1),
        sigmoid2=nn.Sigmoid(),
    )


def _digits_cnn(shape: tuple[int, ...]) -> nn.Module:
    channels, height, width = shape
    return _chain(
        conv1=nn.Conv2d(channels, 16, 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(16),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(16, 32, 3, padding=1, bias=False),
        bn2=nn.BatchNorm2d(32),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.3),
        fc1=nn.Linear(32 * (height // 2) * (width // 2), CLASSES),
    )


def _lenet5(shape: tuple[int, ...]) -> nn.Module:
    channels, height, width = shape
    return _chain(
        conv1=nn.Conv2d(channels, 6, 5, padding=2),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2), 120),
        relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84),
        relu4=nn.ReLU(),
        fc3=nn.Linear(84, CLASSES),
    )


def _mnist_cnn(shape: tuple[int, ...]) -> nn.Module:
    channels, height, width = shape
    return _chain(
        conv1=nn.Conv2d(channels, 32, 3),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 64, 3),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        dropout1=nn.Dropout(0.25),
        flatten=nn.Flatten(),
        fc1=nn.Linear(64 * ((height - 4) // 2) * ((width - 4) // 2), 128),
        relu3=nn.ReLU(),
        dropout2=nn.Dropout(0.5),
        fc2=nn.Linear(128, CLASSES),
    )


class _Block(nn.Module):
    """A residual block as in torchvision."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != filters:
            shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(filters))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return relu(body(x) + shortcut(x))."""
        side = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += side
        return self.relu(y)  # type: ignore[no-any-return]


def _resnet20(shape: tuple[int, ...]) -> nn.Module:
    return _chain(
        conv1=nn.Conv2d(shape[0], 16, 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(16),
        relu=nn.ReLU(inplace=True),
        layer1=nn.Sequential(_Block(16, 16, 1), _Block(16, 16, 1), _Block(16, 16, 1)),
        layer2=nn.Sequential(_Block(16, 32, 2), _Block(32, 32, 1), _Block(32, 32, 1)),
        layer3=nn.Sequential(_Block(32, 64, 2), _Block(64, 64, 1), _Block(64, 64, 1)),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(64, CLASSES),
    )


def _vgg_small(shape: tuple[int, ...]) -> nn.Module:
    channels, height, width = shape
    layers: dict[str, nn.Module] = {}
    for i, filters in enumerate((64, 64, 128, 128, 256, 256), start=1):
        layers[f"conv{i}"] = nn.Conv2d(channels, filters, 3, padding=1)
        layers[f"relu{i}"] = nn.ReLU(inplace=True)
        if i % 2 == 0:
            layers[f"pool{i}"] = nn.MaxPool2d(2)
        channels = filters
    features = channels * (height // 8) * (width // 8)
    return _chain(**layers, flatten=nn.Flatten(), fc1=nn.Linear(features, CLASSES))


BUILDERS: dict[str, Callable[[tuple[int, ...]], nn.Module]] = {
    "sigmoids": _sigmoids,
    "digits_cnn": _digits_cnn,
    "lenet5": _lenet5,
    "mnist_cnn": _mnist_cnn,
    "resnet20": _resnet20,
    "vgg_small": _vgg_small,
}
