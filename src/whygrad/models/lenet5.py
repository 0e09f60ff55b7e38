"""LeNet-5, in the form that is taught today."""

from __future__ import annotations

from whygrad.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from whygrad.typing import Shape


def lenet5(*, input_shape: Shape = (1, 28, 28), classes: int = 10) -> Sequential:
    """Return two 5x5 convolutions with pooling and three dense layers, 61,706 parameters for 28x28 digits.

    Against the paper: ReLU for the scaled tanh, max-pooling for trained subsampling, every filter sees every
    channel, and a dense last layer for the radial basis functions.

    Args:
        input_shape: (C, H, W) of the images, at least 12x12.
        classes: number of classes.

    Example:
        >>> from whygrad.layers import count
        >>> count(lenet5())
        61706

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition" (1998), section II.B.
    """
    convolutions = Sequential(
        conv1=Conv2d(input_shape[0], 6, 5, padding=2),
        relu1=ReLU(),
        pool1=MaxPool2d(2),
        conv2=Conv2d(6, 16, 5),
        relu2=ReLU(),
        pool2=MaxPool2d(2),
        flatten=Flatten(),
    )
    (features,) = convolutions.output_shape(input_shape)
    return Sequential(
        **convolutions.layers,
        fc1=Linear(features, 120),
        relu3=ReLU(),
        fc2=Linear(120, 84),
        relu4=ReLU(),
        fc3=Linear(84, classes),
        input_shape=input_shape,
    )
