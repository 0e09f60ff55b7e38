"""ResNet-20 for 32x32 images."""

from __future__ import annotations

from whygrad.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    ReLU,
    Residual,
    Sequential,
)
from whygrad.typing import Shape


def resnet20(*, input_shape: Shape = (3, 32, 32), classes: int = 10) -> Sequential:
    """Return three stages of three residual blocks, with 16, 32 and 64 channels.

    Where the shape changes, the shortcut is a 1x1 convolution with batch normalisation (option B of the paper,
    as in torchvision); the paper's own network for these images pads with zero channels.

    Args:
        input_shape: (C, H, W) of the images, of any size.
        classes: number of classes.

    Example:
        >>> from whygrad.layers import count
        >>> count(resnet20())
        272474

    Source: K. He et al., "Deep residual learning for image recognition" (2015), section 4.2.
    """
    return Sequential(
        conv1=Conv2d(input_shape[0], 16, 3, padding=1, bias=False),
        bn1=BatchNorm2d(16),
        relu=ReLU(),
        layer1=Sequential(_block(16, 16, 1), _block(16, 16, 1), _block(16, 16, 1)),
        layer2=Sequential(_block(16, 32, 2), _block(32, 32, 1), _block(32, 32, 1)),
        layer3=Sequential(_block(32, 64, 2), _block(64, 64, 1), _block(64, 64, 1)),
        avgpool=GlobalAvgPool2d(),
        flatten=Flatten(),
        fc=Linear(64, classes),
        input_shape=input_shape,
    )


def _block(channels: int, filters: int, stride: int) -> Residual:
    body = Sequential(
        conv1=Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False),
        bn1=BatchNorm2d(filters),
        relu=ReLU(),
        conv2=Conv2d(filters, filters, 3, padding=1, bias=False),
        bn2=BatchNorm2d(filters),
    )
    shortcut = None
    if stride != 1 or channels != filters:
        shortcut = Sequential(Conv2d(channels, filters, 1, stride=stride, bias=False), BatchNorm2d(filters))
    return Residual(body, shortcut, activation=ReLU())
