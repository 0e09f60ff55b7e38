"""A small network for images of any size, quick to train."""

from __future__ import annotations

from typing import Any

from whygrad.layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from whygrad.typing import Shape

_WIDTHS = (32, 64, 128)  #: the last one for all further stages
_SMALL = 12  #: below this side nothing more is pooled


def compact_cnn(*, input_shape: Shape = (1, 28, 28), classes: int = 10) -> Sequential:
    """Return stages of a 3x3 convolution, batch normalisation and a pooling, and two dense layers.

    The first stage has 32 filters, the second 64, all others 128; the first dense layer has 128 outputs. There are
    as many stages as halve the shorter side until it is below 12, and at least one: two for 28x28.

    Args:
        input_shape: (C, H, W) of the images, at least 2x2.
        classes: number of classes.

    Example:
        >>> print(compact_cnn())
        name     layer                                     output shape  parameters
        conv1    Conv2d(1, 32, 3, padding=1, bias=False)   32x28x28             288
        bn1      BatchNorm2d(32)                           32x28x28              64
        relu1    ReLU()                                    32x28x28               0
        pool1    MaxPool2d(2)                              32x14x14               0
        conv2    Conv2d(32, 64, 3, padding=1, bias=False)  64x14x14          18,432
        bn2      BatchNorm2d(64)                           64x14x14             128
        relu2    ReLU()                                    64x14x14               0
        pool2    MaxPool2d(2)                              64x7x7                 0
        flatten  Flatten()                                 3136                   0
        fc1      Linear(3136, 128)                         128              401,536
        relu3    ReLU()                                    128                    0
        fc2      Linear(128, 10)                           10                 1,290
        total                                                               421,738
    """
    channels, height, width = input_shape
    layers: dict[str, Any] = {}
    stage = 0
    while not stage or min(height, width) >= _SMALL:
        filters = _WIDTHS[min(stage, len(_WIDTHS) - 1)]
        stage += 1
        layers |= {
            f"conv{stage}": Conv2d(channels, filters, 3, padding=1, bias=False),
            f"bn{stage}": BatchNorm2d(filters),
            f"relu{stage}": ReLU(),
            f"pool{stage}": MaxPool2d(2),
        }
        channels, height, width = filters, height // 2, width // 2
    return Sequential(
        **layers,
        flatten=Flatten(),
        fc1=Linear(channels * height * width, 128),
        **{f"relu{stage + 1}": ReLU()},
        fc2=Linear(128, classes),
        input_shape=input_shape,
    )
