"""A small network in the manner of VGG."""

from __future__ import annotations

from typing import Any

from whygrad.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from whygrad.typing import Shape

_WIDTHS = (64, 64, 128, 128, 256, 256)


def vgg_small(*, input_shape: Shape = (3, 32, 32), classes: int = 10) -> Sequential:
    """Return six 3x3 convolutions of 64, 64, 128, 128, 256 and 256 filters, pooled after every second.

    Args:
        input_shape: (C, H, W) of the images, at least 8x8.
        classes: number of classes.

    Example:
        >>> from whygrad.layers import count
        >>> count(vgg_small())
        1186378

    Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition"
    (2014).
    """
    layers: dict[str, Any] = {}
    channels = input_shape[0]
    for i, width in enumerate(_WIDTHS, start=1):
        layers[f"conv{i}"] = Conv2d(channels, width, 3, padding=1)
        layers[f"relu{i}"] = ReLU()
        if i % 2 == 0:
            layers[f"pool{i}"] = MaxPool2d(2)
        channels = width
    layers["flatten"] = Flatten()
    (features,) = Sequential(**layers).output_shape(input_shape)
    return Sequential(**layers, fc1=Linear(features, classes), input_shape=input_shape)
