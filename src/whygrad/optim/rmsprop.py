"""RMSprop: every entry's step divided by the root of the mean square of its recent gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from whygrad.optim.optimizer import Arrays, Optimizer
from whygrad.typing import Array
from whygrad.validation import number


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Gradient descent with a step for every entry, in units of the size of its recent gradients.

        g ← g + λ·w
        s ← α·s + (1 − α)·g²                 s is 0 at first, and not corrected for it
        u = g / (√s + eps)                   centred: a ← α·a + (1 − α)·g and u = g / (√(s − a²) + eps)
        w ← w − η·u                          with momentum: v ← m·v + u and w ← w − η·v

    s − a² is a variance; where rounding makes it negative, 0 takes its place.

    Args:
        learning_rate: η, a number or a schedule.
        alpha: α, how much of the averages stays, 0 to 1.
        eps: added to the root, so that an entry that rests divides by something.
        momentum: m, 0 to 1.
        centered: whether the steps are in units of the standard deviation.
        weight_decay: λ, not negative.

    Raises:
        OptionError: an option outside its domain.

    Example:
        >>> optimizer = RMSprop(0.5, alpha=0.75, eps=0)
        >>> params = {"w": np.array([1., 2.])}
        >>> params, state = optimizer.update(params, {"w": np.array([10., -0.1])}, optimizer.init(params))
        >>> params["w"]
        array([0., 3.])

    Source: T. Tieleman and G. E. Hinton, "Lecture 6.5: RMSprop" of the course "Neural networks for machine
    learning" (2012); A. Graves, "Generating sequences with recurrent neural networks" (2013), for
    the centred form. The place of eps is that of PyTorch's RMSprop.
    """

    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("RMSprop", "alpha", self.alpha, 0.0, 1.0)
        number("RMSprop", "eps", self.eps, 0.0, float("inf"), open_high=True)
        number("RMSprop", "momentum", self.momentum, 0.0, 1.0)
        number("RMSprop", "weight_decay", self.weight_decay, 0.0, float("inf"), open_high=True)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The mean square, and the mean and the velocity where they are used."""
        return ("square", *(["mean"] if self.centered else []), *(["velocity"] if self.momentum else []))

    def rule(
        self, w: Array, g: Array, old: Mapping[str, Array], rate: float, _t: int, /
    ) -> tuple[Array, dict[str, Array]]:
        """Return w and s, with a and v where they are used, after one update."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        new = {"square": self.alpha * old["square"] + (1 - self.alpha) * g**2}
        spread = new["square"]
        if self.centered:
            new["mean"] = self.alpha * old["mean"] + (1 - self.alpha) * g
            spread = np.maximum(spread - new["mean"] ** 2, 0)
        step = g / (np.sqrt(spread) + self.eps)
        if self.momentum:
            step = new["velocity"] = self.momentum * old["velocity"] + step
        return w - rate * step, new

    def rules(
        self, ws: Arrays, gs: Arrays, old: Mapping[str, Arrays], rate: float, t: int, /
    ) -> tuple[Arrays, Mapping[str, Arrays]]:
        """Return all w and s, with a and v where they are used, after one update."""
        twin = self._twin("rmsprop", RMSprop)
        if not twin:
            return super().rules(ws, gs, old, rate, t)
        new, *slots = twin.step(
            (ws, gs, *(old[slot] for slot in self.slot_names)),
            rate=rate,
            alpha=self.alpha,
            eps=self.eps,
            momentum=self.momentum,
            decay=self.weight_decay,
            centred=self.centered,
        )
        return new, dict(zip(self.slot_names, slots, strict=True))
