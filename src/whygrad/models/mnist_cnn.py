"""The convolutional network that most introductions train on MNIST."""

from __future__ import annotations

from whygrad.layers import Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential
from whygrad.typing import Shape


def mnist_cnn(*, input_shape: Shape = (1, 28, 28), classes: int = 10) -> Sequential:
    """Return conv32, conv64, a pooling and dense layers of 128 and ``classes``, with dropout between them.

    Args:
        input_shape: (C, H, W) of the images, at least 6x6.
        classes: number of classes.

    Example:
        >>> from whygrad.layers import count
        >>> count(mnist_cnn())
        1199882

    Source: the architecture of the MNIST examples that ship with Keras and PyTorch.
    """
    convolutions = Sequential(
        conv1=Conv2d(input_shape[0], 32, 3),
        relu1=ReLU(),
        conv2=Conv2d(32, 64, 3),
        relu2=ReLU(),
        pool2=MaxPool2d(2),
        dropout1=Dropout(0.25),
        flatten=Flatten(),
    )
    (features,) = convolutions.output_shape(input_shape)
    return Sequential(
        **convolutions.layers,
        fc1=Linear(features, 128),
        relu3=ReLU(),
        dropout2=Dropout(0.5),
        fc2=Linear(128, classes),
        input_shape=input_shape,
    )
