"""AdamW: Adam with a weight decay that its divisions do not touch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whygrad.optim.adam import Adam
from whygrad.optim.optimizer import Arrays
from whygrad.typing import Array


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: it shrinks the parameter and stays out of the gradient.

        w ← (1 − η·λ)·w
        m ← β₁·m + (1 − β₁)·g                m and v are 0 at first
        v ← β₂·v + (1 − β₂)·g²
        w ← w − η·m̂ / (√v̂ + eps)             m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) make up for the zeros

    In ``Adam`` the decay is divided by √v̂ too, so that entries with large gradients hardly decay. t counts
    the updates of the optimiser from 1, for all parameters alike.

    Args:
        learning_rate: η, a number or a schedule; it multiplies the decay, as in PyTorch.
        beta1: β₁, how much of the mean stays, 0 to below 1.
        beta2: β₂, how much of the mean square stays, 0 to below 1.
        eps: added to the root, so that an entry that rests divides by something.
        weight_decay: λ, not negative.

    Raises:
        OptionError: an option outside its domain.

    Example:
        >>> optimizer = AdamW(0.5, eps=0, weight_decay=1)
        >>> params = {"w": np.array([1., 2.])}
        >>> params, state = optimizer.update(params, {"w": np.array([10., -0.1])}, optimizer.init(params))
        >>> params["w"]
        array([0. , 1.5])

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization" (2019), algorithm 2.
    """

    weight_decay: float = 0.01

    def rule(
        self, w: Array, g: Array, old: Mapping[str, Array], rate: float, t: int, /
    ) -> tuple[Array, dict[str, Array]]:
        """Return w, m and v after update t."""
        if self.weight_decay:
            w = (1 - rate * self.weight_decay) * w
        return self.moved(w, g, old, rate, t)

    def rules(
        self, ws: Arrays, gs: Arrays, old: Mapping[str, Arrays], rate: float, t: int, /
    ) -> tuple[Arrays, Mapping[str, Arrays]]:
        """Return all w, m and v after update t."""
        twin = self._twin("adam", AdamW)
        if not twin:
            return super().rules(ws, gs, old, rate, t)
        return self.moved_by_twin(twin, ws, gs, old, rate, t, keep=1 - rate * self.weight_decay)
