"""Signals of a training: one pass of a few images through the model, and what it tells of every layer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from whygrad.checking.watching import Event, watched
from whygrad.layers import Layer, ReLU, Sigmoid, Tanh
from whygrad.typing import Array, Loss, Params
from whygrad.workspace import Workspace

#: How near to its end a sigmoid's or tanh's value lies that counts as saturated; its slope is then below 0.02.
_FLAT = 0.01


class Signals(NamedTuple):
    """What one look at a model shows."""

    loss: float
    gradient_norms: dict[str, float]  #: by parameter, of those that are trained
    dead: dict[str, float]  #: by ReLU, the share of its units that no image activates
    saturated: dict[str, float]  #: by sigmoid or tanh, the share of its values that lie at an end
    largest: float  #: of all values of all layers, by size

    @property
    def finite(self) -> bool:
        """Whether every number of the pass is finite."""
        return all(map(math.isfinite, (self.loss, self.largest, *self.gradient_norms.values())))

    @property
    def silent(self) -> bool:
        """Whether no gradient reaches more than one parameter, most often the last bias, of several."""
        return sum(norm > 0 for norm in self.gradient_norms.values()) <= min(1, len(self.gradient_norms) - 1)

    def to_dict(self) -> dict[str, float | None]:
        """Return the signals under the names that they have in ``metrics.jsonl``."""
        flat: dict[str, float] = {"watched_loss": self.loss, "largest_activation": self.largest}
        for title, values in (
            ("gradient_norm", self.gradient_norms),
            ("dead", self.dead),
            ("saturated", self.saturated),
        ):
            flat |= {f"{title}/{name}": value for name, value in values.items()}
        return {name: value if math.isfinite(value) else None for name, value in flat.items()}


class Probe:
    """Looks at a model with the same few images every time.

    A look is a pass in training, forward and backward, with the same dropout masks every time; running statistics
    that it changes are dropped. A unit is a feature, or a channel at all positions.

    Args:
        model: the network.
        images: the images, (N, ...).
        targets: what the loss compares with.
        loss: gives a loss and its gradient.

    Example:
        >>> from whygrad.layers import Linear, Sequential
        >>> from whygrad.losses import cross_entropy
        >>> model = Sequential(fc1=Linear(2, 3), relu1=ReLU(), fc2=Linear(3, 2))
        >>> params = {name: np.ones(p.shape) for name, p in model.parameters().items()}
        >>> params["fc1.bias"] = np.array([-9., 0., 0.])
        >>> Probe(model, np.eye(2), np.array([0, 1]), cross_entropy).look(params).dead["relu1"]
        0.3333333333333333
    """

    def __init__(self, model: Layer, images: Array, targets: Any, loss: Loss) -> None:
        self.images, self.targets, self.loss = images, targets, loss
        self._model = watched(model, self._hear)
        self._dead: dict[str, float] = {}
        self._saturated: dict[str, float] = {}
        self._largest = 0.0
        self._workspace = Workspace()

    def look(self, params: Params) -> Signals:
        """Return the signals at these parameters."""
        self._dead, self._saturated, self._largest = {}, {}, 0.0
        with self._workspace, np.errstate(all="ignore"):
            y, pullback, _ = self._model(params, self.images, training=True, rng=np.random.default_rng(0))
            value, dy = self.loss(y, self.targets)
            _, gradients = pullback(dy, release=True, input_gradient=False)
            norms = {name: norm(gradient) for name, gradient in gradients.items()}
        return Signals(value, norms, self._dead, self._saturated, self._largest)

    def chance(self, params: Params) -> float:
        """Return the loss of outputs that are all zero, which is what knowing nothing costs."""
        with self._workspace:
            y = self._model(params, self.images, training=True, rng=np.random.default_rng(0))[0]
            return self.loss(np.zeros_like(y), self.targets)[0]

    def _hear(self, event: Event) -> None:
        if event.going == "backward":
            return
        y = event.value
        if not isinstance(y, np.ndarray) or not y.size:
            return
        top, bottom = float(y.max()), float(y.min())
        size = max(abs(top), abs(bottom))
        if not size <= self._largest and not math.isnan(self._largest):  # once NaN, it stays NaN
            self._largest = size
        if isinstance(event.layer, ReLU):
            self._dead[event.name] = _dead(y)
        elif isinstance(event.layer, Sigmoid | Tanh):
            low = -1.0 if isinstance(event.layer, Tanh) else 0.0
            edge = _FLAT * (1 - low)
            self._saturated[event.name] = float(np.mean((y > 1 - edge) | (y < low + edge)))


def _dead(y: Array) -> float:
    """Return the share of units, along axis 1, that are nowhere positive."""
    others = (0, *range(2, y.ndim)) if y.ndim > 1 else ()
    return float(np.mean(y.max(axis=others) <= 0))


def norm(array: Array) -> float:
    """Return the root of the sum of squares.

    Example:
        >>> norm(np.array([[3.0], [4.0]]))
        5.0
    """
    flat = array.ravel(order="K")
    with np.errstate(over="ignore", invalid="ignore"):
        square = float(np.dot(flat, flat))
    if 1e-30 < square < 1e30:
        return math.sqrt(square)
    return float(np.linalg.norm(flat.astype(np.float64)))  # in float32, squares may be too small or too large
