"""Stochastic gradient descent: a step against the gradient, with momentum a rolling one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whygrad.errors import OptionError
from whygrad.optim.optimizer import Arrays, Optimizer
from whygrad.typing import Array
from whygrad.validation import number


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum, Nesterov's momentum and weight decay.

        g ← g + λ·w                          coupled weight decay: the gradient of λ/2·‖w‖²
        v ← m·v + g                          v is 0 at first
        w ← w − η·v                          Nesterov: w ← w − η·(g + m·v)

    Decoupled weight decay leaves g as it is and begins with w ← (1 − η·λ)·w instead, so that the decay does
    not enter the velocity. The learning rate η multiplies the velocity and is no part of it, as in PyTorch.

    Args:
        learning_rate: η, a number or a schedule.
        momentum: m, 0 to 1.
        nesterov: whether the step looks ahead; needs momentum.
        weight_decay: λ, not negative.
        decoupled: whether the decay acts on w alone.

    Raises:
        OptionError: an option outside its domain, or Nesterov's momentum without momentum.

    Example:
        >>> import numpy as np
        >>> optimizer = SGD(0.5, momentum=0.5)
        >>> params = {"w": np.array([1., 2.])}
        >>> state = optimizer.init(params)
        >>> params, state = optimizer.update(params, {"w": np.array([1., 0.])}, state)
        >>> params["w"], state.slots["velocity"]["w"]
        (array([0.5, 2. ]), array([1., 0.]))
        >>> params, state = optimizer.update(params, {"w": np.array([0., 2.])}, state)
        >>> params["w"], state.slots["velocity"]["w"]
        (array([0.25, 1.  ]), array([0.5, 2. ]))

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods" (1964), for
    momentum; I. Sutskever et al., "On the importance of initialization and momentum in deep learning"
    (2013), for Nesterov's; I. Loshchilov and F. Hutter, "Decoupled weight decay regularization" (2019),
    algorithm 1, for the decoupled decay. The order of the operations is that of PyTorch's SGD.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    decoupled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        number("SGD", "momentum", self.momentum, 0.0, 1.0)
        number("SGD", "weight_decay", self.weight_decay, 0.0, float("inf"), open_high=True)
        if self.nesterov and not self.momentum:
            raise OptionError("SGD", "momentum above 0 with nesterov=True", "momentum=0", "pass momentum=0.9")

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The velocity, if there is momentum."""
        return ("velocity",) if self.momentum else ()

    def rule(
        self, w: Array, g: Array, old: Mapping[str, Array], rate: float, _t: int, /
    ) -> tuple[Array, dict[str, Array]]:
        """Return w and v after one update."""
        if self.weight_decay and self.decoupled:
            w = (1 - rate * self.weight_decay) * w
        elif self.weight_decay:
            g = g + self.weight_decay * w
        if not self.momentum:
            return w - rate * g, {}
        v = self.momentum * old["velocity"] + g
        step = g + self.momentum * v if self.nesterov else v
        return w - rate * step, {"velocity": v}

    def rules(
        self, ws: Arrays, gs: Arrays, old: Mapping[str, Arrays], rate: float, t: int, /
    ) -> tuple[Arrays, Mapping[str, Arrays]]:
        """Return all w and v after one update."""
        twin = self._twin("sgd", SGD)
        if not twin:
            return super().rules(ws, gs, old, rate, t)
        keep = 1 - rate * self.weight_decay if self.decoupled else 1.0
        decay = 0.0 if self.decoupled else self.weight_decay
        if not self.momentum:
            (new,) = twin.descend(ws, gs, rate, keep, decay)
            return new, {}
        new, rolled = twin.roll(ws, gs, old["velocity"], rate, keep, decay, self.momentum, self.nesterov)
        return new, {"velocity": rolled}
