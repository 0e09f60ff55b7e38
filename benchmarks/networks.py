"""What is compared: networks, the batches they see and the ratios that are aimed at. Imports neither side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CLASSES = 10
MOMENTUM = 0.9


@dataclass(frozen=True)
class Network:
    """A network that both sides build, at one batch size."""

    key: str  #: how the command line names it
    title: str
    model: str  #: how both sides' builders name it
    input_shape: tuple[int, int, int]
    batch: int
    floor: float  #: the ratio PyTorch/whygrad of a training step that is aimed at
    loss: str = "cross_entropy"
    rate: float = 1e-4  #: small, so that a thousand steps on one batch leave the numbers as they are
    float32: float = 1e-4  #: how far gradients may be apart in float32; in float64 it is 1e-9 for all

    def tiny(self) -> Network:
        """Return the same network at the least cost: one image, and a small one where any size will do."""
        shape = (1, 16, 16) if self.model == "sigmoids" else self.input_shape
        return replace(self, batch=1, input_shape=shape)

    def images(self, seed: int = 0) -> Floats:
        """Return a batch of noise."""
        rng = np.random.default_rng([seed, 1])
        return rng.standard_normal((self.batch, *self.input_shape), np.float32)

    def targets(self, seed: int = 0) -> npt.NDArray[Any]:
        """Return classes, or an image for a network that gives one."""
        rng = np.random.default_rng([seed, 2])
        if self.loss == "half_squared_error":
            return rng.random((self.batch, *self.input_shape), np.float32)
        return rng.integers(0, CLASSES, self.batch)


_SIGMOIDS = "two 3x3 convolutions with sigmoids, 1x256x256"
_DIGITS, _PHOTOS = (1, 28, 28), (3, 32, 32)

#: What is trained, with the ratios that are aimed at.
NETWORKS = (
    Network("sigmoids", _SIGMOIDS, "sigmoids", (1, 256, 256), 1, 4.0, "half_squared_error", 1e-8),
    Network("lenet5-1", "LeNet-5", "lenet5", _DIGITS, 1, 4.0),
    Network("lenet5-64", "LeNet-5", "lenet5", _DIGITS, 64, 2.5),
    Network("mnist_cnn", "MNIST CNN", "mnist_cnn", _DIGITS, 64, 1.3),
    # With its 2.5 million ReLUs a batch some are always undecided within rounding. Those that fall to another side
    # than in float64 move a gradient of either library by up to 0.6 %.
    Network("resnet20", "ResNet-20", "resnet20", _PHOTOS, 64, 1.2, float32=2e-2),
    Network("vgg_small", "VGG of six convolutions", "vgg_small", _PHOTOS, 64, 1.0),
)

#: The ready models with the images they are made for.
MODELS = (
    ("digits_cnn", (1, 8, 8)),
    ("lenet5", _DIGITS),
    ("mnist_cnn", _DIGITS),
    ("resnet20", _PHOTOS),
    ("vgg_small", _PHOTOS),
)


def network(key: str) -> Network:
    """Return the network of that key.

    Raises:
        KeyError: there is none.
    """
    return {n.key: n for n in NETWORKS}[key]
