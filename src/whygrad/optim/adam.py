"""Adam: momentum, divided entry by entry by the root of the mean square of the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from whygrad.optim.optimizer import Arrays, Optimizer
from whygrad.optim.schedules import Schedule
from whygrad.typing import Array
from whygrad.validation import number


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam, with the weight decay in the gradient. ``AdamW`` decouples it.

        g ← g + λ·w
        m ← β₁·m + (1 − β₁)·g                m and v are 0 at first
        v ← β₂·v + (1 − β₂)·g²
        w ← w − η·m̂ / (√v̂ + eps)             m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) make up for the zeros

    t counts the updates of the optimiser from 1. A parameter that gets its first gradient later begins with
    zeros but with this t: to train on with layers thawed, begin with a new state.

    Args:
        learning_rate: η, a number or a schedule.
        beta1: β₁, how much of the mean stays, 0 to below 1.
        beta2: β₂, how much of the mean square stays, 0 to below 1.
        eps: added to the root, so that an entry that rests divides by something.
        weight_decay: λ, not negative.

    Raises:
        OptionError: an option outside its domain.

    Example:
        >>> optimizer = Adam(0.5, eps=0)
        >>> params = {"w": np.array([1., 2.])}
        >>> params, state = optimizer.update(params, {"w": np.array([10., -0.1])}, optimizer.init(params))
        >>> params["w"]
        array([0.5, 2.5])

    Source: D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.
    """

    learning_rate: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        number(where, "beta1", self.beta1, 0.0, 1.0, open_high=True)
        number(where, "beta2", self.beta2, 0.0, 1.0, open_high=True)
        number(where, "eps", self.eps, 0.0, float("inf"), open_high=True)
        number(where, "weight_decay", self.weight_decay, 0.0, float("inf"), open_high=True)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The mean and the mean square of the gradients."""
        return ("mean", "square")

    def rule(
        self, w: Array, g: Array, old: Mapping[str, Array], rate: float, t: int, /
    ) -> tuple[Array, dict[str, Array]]:
        """Return w, m and v after update t."""
        if self.weight_decay:
            g = g + self.weight_decay * w
        return self.moved(w, g, old, rate, t)

    def moved(
        self, w: Array, g: Array, old: Mapping[str, Array], rate: float, t: int, /
    ) -> tuple[Array, dict[str, Array]]:
        """Return w, m and v after update t, without weight decay."""
        m = self.beta1 * old["mean"] + (1 - self.beta1) * g
        v = self.beta2 * old["square"] + (1 - self.beta2) * g**2
        m_hat, v_hat = m / (1 - self.beta1**t), v / (1 - self.beta2**t)
        return w - rate * m_hat / (np.sqrt(v_hat) + self.eps), {"mean": m, "square": v}

    def rules(
        self, ws: Arrays, gs: Arrays, old: Mapping[str, Arrays], rate: float, t: int, /
    ) -> tuple[Arrays, Mapping[str, Arrays]]:
        """Return all w, m and v after update t."""
        twin = self._twin("adam", Adam)
        if not twin:
            return super().rules(ws, gs, old, rate, t)
        return self.moved_by_twin(twin, ws, gs, old, rate, t, decay=self.weight_decay)

    def moved_by_twin(
        self,
        twin: Any,
        ws: Arrays,
        gs: Arrays,
        old: Mapping[str, Arrays],
        rate: float,
        t: int,
        *,
        keep: float = 1.0,
        decay: float = 0.0,
    ) -> tuple[Arrays, Mapping[str, Arrays]]:
        """Return all w, m and v after update t from keep·w along g + decay·w, in one compiled pass."""
        new, m, v = twin.step(
            (ws, gs, old["mean"], old["square"]),
            rate=rate,
            betas=(self.beta1, self.beta2),
            corrections=(1 - self.beta1**t, 1 - self.beta2**t),
            eps=self.eps,
            keep=keep,
            decay=decay,
        )
        return new, {"mean": m, "square": v}
