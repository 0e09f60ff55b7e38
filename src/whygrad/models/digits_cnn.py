"""A small network for the embedded 8x8 digits."""

from __future__ import annotations

from whygrad.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential
from whygrad.typing import Shape


def digits_cnn(*, input_shape: Shape = (1, 8, 8), classes: int = 10) -> Sequential:
    """Return two 3x3 convolutions with batch normalisation, a pooling, and a dense layer.

    Args:
        input_shape: (C, H, W) of the images.
        classes: number of classes.

    Example:
        >>> print(digits_cnn())
        name     layer                                     output shape  parameters
        conv1    Conv2d(1, 16, 3, padding=1, bias=False)   16x8x8               144
        bn1      BatchNorm2d(16)                           16x8x8                32
        relu1    ReLU()                                    16x8x8                 0
        conv2    Conv2d(16, 32, 3, padding=1, bias=False)  32x8x8             4,608
        bn2      BatchNorm2d(32)                           32x8x8                64
        relu2    ReLU()                                    32x8x8                 0
        pool2    MaxPool2d(2)                              32x4x4                 0
        flatten  Flatten()                                 512                    0
        dropout  Dropout(p=0.3)                            512                    0
        fc1      Linear(512, 10)                           10                 5,130
        total                                                                 9,978
    """
    channels, height, width = input_shape
    return Sequential(
        conv1=Conv2d(channels, 16, 3, padding=1, bias=False),
        bn1=BatchNorm2d(16),
        relu1=ReLU(),
        conv2=Conv2d(16, 32, 3, padding=1, bias=False),
        bn2=BatchNorm2d(32),
        relu2=ReLU(),
        pool2=MaxPool2d(2),
        flatten=Flatten(),
        dropout=Dropout(0.3),
        fc1=Linear(32 * (height // 2) * (width // 2), classes),
        input_shape=input_shape,
    )
