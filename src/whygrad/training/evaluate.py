"""What a trained network makes of images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from whygrad.data import Images, check_data, in_parts
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
    ranks: IntArray  #: (N,), how many classes were thought more probable than the right one

    def top(self, k: int) -> float:
        """Return the share of images whose right class is among the ``k`` most probable ones."""
        return float((self.ranks < k).mean())

    @property
    def precision(self) -> Array:
        """(K,), of the images that were taken for a class, the share that is of it; NaN where there are none."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> Array:
        """(K,), of the images of a class, the share that was taken for it; NaN where there are none."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=1))

    def _repr_html_(self) -> str:
        from whygrad.training.rendering import evaluation_html  # noqa: PLC0415  (only where something is shown)

        return evaluation_html(self)


def _share(some: IntArray, all_: IntArray) -> Array:
    shares: Array = np.divide(some, all_, out=np.full(len(all_), np.nan), where=all_ > 0)
    return shares


def predict(model: Layer, params: Params, images: Images, *, batch_size: int = 256) -> Array:
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
    return np.concatenate([model(params, part)[0] for part in in_parts(images, batch_size)])


def probabilities(model: Layer, params: Params, images: Images) -> Array:
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
    model: Layer, params: Params, images: Images, labels: IntArray, *, loss: Loss = cross_entropy
) -> Evaluation:
    """Return loss, accuracy, confusion and ranks on labelled images.

    Example:
        >>> from whygrad.layers import Flatten
        >>> scores = np.array([[2., 1.], [0., 3.], [4., 0.]])
        >>> result = evaluate(Flatten(), {}, scores, np.array([0, 1, 1]))
        >>> round(result.accuracy, 4), result.confusion.tolist()
        (0.6667, [[1, 0], [1, 1]])
        >>> result.top(2), result.precision.tolist(), result.recall.tolist()
        (1.0, [0.5, 1.0], [1.0, 0.5])
    """
    check_data("evaluate", images, labels)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows shows in the loss
        y = predict(model, params, images)
        value, _ = loss(y, labels)
    return scored(value, y, labels)


def scored(loss: float, scores: Array, labels: IntArray) -> Evaluation:
    """Return what scores (N, K) say about labels (N,), with a loss that is known."""
    guesses = scores.argmax(axis=1)
    classes = scores.shape[1]
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, guesses), 1)
    own = np.take_along_axis(scores, np.asarray(labels)[:, None], axis=1)
    first = np.arange(classes) < np.asarray(labels)[:, None]  # of equal scores the first class wins
    ranks = ((scores > own) | ((scores == own) & first)).sum(axis=1)
    return Evaluation(loss, float((guesses == labels).mean()), confusion, ranks)
