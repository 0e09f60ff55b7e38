"""What a trained network makes of images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from whygrad.data import check_data
from whygrad.layers import Layer
from whygrad.losses.cross_entropy import cross_entropy
from whygrad.ops import softmax
from whygrad.typing import Array, IntArray, Loss, Params
from whygrad.validation import whole


class Evaluation(NamedTuple):
    """How a network does on labelled images."""

    loss: float  #: mean
    accuracy: float
    confusion: IntArray  #: (K, K), images of class i that were taken for class j

    def _repr_html_(self) -> str:
        from whygrad.training.rendering import evaluation_html  # noqa: PLC0415  (only where something is shown)

        return evaluation_html(self)


def predict(model: Layer, params: Params, images: Array, *, batch_size: int = 256) -> Array:
    """Return the model's output in evaluation, computed batch by batch.

    Args:
        model: the network.
        params: its parameters.
        images: (N, ...).
        batch_size: images at once.

    Example:
        >>> from whygrad.layers import ReLU
        >>> predict(ReLU(), {}, np.array([[-1.], [2.]]), batch_size=1)
        array([[0.],
               [2.]])
    """
    batch_size = whole("predict", "batch_size", batch_size, 1)
    starts = range(0, max(len(images), 1), batch_size)
    return np.concatenate([model(params, images[i : i + batch_size])[0] for i in starts])


def probabilities(model: Layer, params: Params, images: Array) -> Array:
    """Return the softmax of the model's output.

    Args:
        model: a network that gives scores (N, K).
        params: its parameters.
        images: (N, ...).

    Returns:
        (N, K), rows that add up to 1.

    Example:
        >>> from whygrad.layers import Flatten
        >>> probabilities(Flatten(), {}, np.zeros((1, 4)))
        array([[0.25, 0.25, 0.25, 0.25]])
    """
    return softmax(predict(model, params, images))[0]


def evaluate(
    model: Layer, params: Params, images: Array, labels: IntArray, *, loss: Loss = cross_entropy
) -> Evaluation:
    """Return loss, accuracy and confusion on labelled images.

    Example:
        >>> from whygrad.layers import Flatten
        >>> scores = np.array([[2., 1.], [0., 3.], [4., 0.]])
        >>> result = evaluate(Flatten(), {}, scores, np.array([0, 1, 1]))
        >>> round(result.accuracy, 4), result.confusion.tolist()
        (0.6667, [[1, 0], [1, 1]])
    """
    check_data("evaluate", images, labels)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows shows in the loss
        y = predict(model, params, images)
        value, _ = loss(y, labels)
    guesses = y.argmax(axis=1)
    confusion = np.zeros((y.shape[1], y.shape[1]), np.int64)
    np.add.at(confusion, (labels, guesses), 1)
    return Evaluation(value, float((guesses == labels).mean()), confusion)
