"""The list of losses, each with sample inputs: what must hold for every loss iterates over ``LOSSES``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.errors import OptionError
from whygrad.losses.binary_cross_entropy import binary_cross_entropy
from whygrad.losses.cross_entropy import cross_entropy
from whygrad.losses.half_squared_error import half_squared_error
from whygrad.losses.hinge import hinge
from whygrad.losses.mean_squared_error import mean_squared_error
from whygrad.typing import Array


class LossSample(NamedTuple):
    """One call: ``loss(prediction, target, **options)``."""

    prediction: Array  #: float64, away from kinks
    target: Any
    options: Mapping[str, Any] = {}


class LossEntry(NamedTuple):
    """A loss and sample inputs for it."""

    function: Callable[..., tuple[float, Array]]
    samples: Callable[[np.random.Generator], list[LossSample]]


def _classification(rng: np.random.Generator) -> list[LossSample]:
    scores, maps = 3 * rng.normal(size=(5, 4)), rng.normal(size=(2, 3, 4))
    labels, positions = rng.integers(0, 4, 5), rng.integers(0, 3, (2, 4))
    return [
        LossSample(scores, labels),
        LossSample(scores, labels, {"reduction": "sum"}),
        LossSample(maps, positions),
    ]


def _cross_entropy(rng: np.random.Generator) -> list[LossSample]:
    scores, labels = 3 * rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
    weights = rng.uniform(0.5, 2, 4)
    probabilities = rng.dirichlet(np.ones(4), 5)
    return [
        *_classification(rng),
        LossSample(scores, labels, {"class_weights": weights, "label_smoothing": 0.1}),
        LossSample(scores, probabilities, {"class_weights": weights, "label_smoothing": 0.1}),
        LossSample(scores, probabilities, {"reduction": "sum"}),
    ]


def _regression(rng: np.random.Generator) -> list[LossSample]:
    y, t = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, 4))
    return [LossSample(y, t, {"reduction": reduction}) for reduction in ("mean", "sum")]


def _binary(rng: np.random.Generator) -> list[LossSample]:
    z, t = 3 * rng.normal(size=(3, 4)), rng.uniform(size=(3, 4))
    return [LossSample(z, t), LossSample(z, (t > 0.5).astype(int), {"reduction": "sum"})]


LOSSES: dict[str, LossEntry] = {
    "binary_cross_entropy": LossEntry(binary_cross_entropy, _binary),
    "cross_entropy": LossEntry(cross_entropy, _cross_entropy),
    "half_squared_error": LossEntry(half_squared_error, _regression),
    "hinge": LossEntry(hinge, _classification),
    "mean_squared_error": LossEntry(mean_squared_error, _regression),
}


def loss(name: str) -> LossEntry:
    """Return the registered loss of that name.

    Raises:
        OptionError: there is no such loss.

    Example:
        >>> loss("hinge").function.__name__
        'hinge'
    """
    if name not in LOSSES:
        raise OptionError("registry", f"one of {', '.join(LOSSES)}", f"{name!r}", "check the spelling")
    return LOSSES[name]
