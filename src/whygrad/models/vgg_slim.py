"""A network in the manner of VGG, with batch normalisation and few filters."""

from __future__ import annotations

from typing import Any

from whygrad.layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from whygrad.typing import Shape

_STAGES = ((32,), (64, 64), (128,))  #: filters of the convolutions before each pooling


def vgg_slim(*, input_shape: Shape = (1, 28, 28), classes: int = 10) -> Sequential:
    """Return four 3x3 convolutions of 32, 64, 64 and 128 filters with batch normalisation, and a dense layer.

    Images are pooled after the first, the third and the fourth: most of the work is done where they are small.

    Args:
        input_shape: (C, H, W) of the images, at least 8x8.
        classes: number of classes.

    Example:
        >>> from whygrad.layers import count
        >>> count(vgg_slim())
        141418

    Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition"
    (2014); batch normalisation after S. Ioffe and C. Szegedy (2015).
    """
    layers: dict[str, Any] = {}
    channels, number = input_shape[0], 0
    for stage, widths in enumerate(_STAGES, start=1):
        for filters in widths:
            number += 1
            layers |= {
                f"conv{number}": Conv2d(channels, filters, 3, padding=1, bias=False),
                f"bn{number}": BatchNorm2d(filters),
                f"relu{number}": ReLU(),
            }
            channels = filters
        layers[f"pool{stage}"] = MaxPool2d(2)
    layers["flatten"] = Flatten()
    (features,) = Sequential(**layers).output_shape(input_shape)
    return Sequential(**layers, fc1=Linear(features, classes), input_shape=input_shape)
