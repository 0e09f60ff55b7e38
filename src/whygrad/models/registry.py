"""The ready models by name."""

from __future__ import annotations

from typing import Protocol

from whygrad.errors import OptionError
from whygrad.layers import Sequential
from whygrad.models.compact_cnn import compact_cnn
from whygrad.models.digits_cnn import digits_cnn
from whygrad.models.lenet5 import lenet5
from whygrad.models.mnist_cnn import mnist_cnn
from whygrad.models.resnet20 import resnet20
from whygrad.models.vgg_slim import vgg_slim
from whygrad.models.vgg_small import vgg_small
from whygrad.typing import Shape


class ModelBuilder(Protocol):
    """Builds a model for images of a shape and a number of classes."""

    def __call__(self, *, input_shape: Shape = ..., classes: int = ...) -> Sequential:
        """Return the model."""


MODELS: dict[str, ModelBuilder] = {
    "compact_cnn": compact_cnn,
    "digits_cnn": digits_cnn,
    "lenet5": lenet5,
    "mnist_cnn": mnist_cnn,
    "resnet20": resnet20,
    "vgg_slim": vgg_slim,
    "vgg_small": vgg_small,
}


def model_builder(name: str) -> ModelBuilder:
    """Return the builder of the ready model of that name.

    Raises:
        OptionError: there is no such model.

    Example:
        >>> model_builder("lenet5")().input_shape
        (1, 28, 28)
    """
    if name not in MODELS:
        raise OptionError("model", f"one of {', '.join(MODELS)}", f"{name!r}", "check the spelling")
    return MODELS[name]
