"""What all optimisers share: they are pure functions from parameters, gradients and state to new ones."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from whygrad.errors import OptionError, inside
from whygrad.optim.schedules import Schedule, as_schedule
from whygrad.typing import Array, Params
from whygrad.validation import FLOATS, floats, number, shape


class OptimizerState(NamedTuple):
    """What an optimiser remembers between updates."""

    step: int  #: how many updates were made
    slots: dict[str, dict[str, Array]]  #: by slot and parameter: ``{"velocity": {"conv1.weight": array}}``


#: A parameter, its gradient, and its slots by name, of one shape and dtype.
Given = tuple[Array, Array, Mapping[str, Array]]


@dataclass(frozen=True)
class Optimizer(ABC):
    """The base of all optimisers: hyper-parameters that never change, and one rule for one parameter.

    Args:
        learning_rate: η, a number or a schedule; the update number t, counted from 0, runs at schedule(t).

    Raises:
        OptionError: a hyper-parameter outside its domain.

    Example:
        >>> @dataclass(frozen=True)
        ... class SignDescent(Optimizer):
        ...     def rule(self, w, g, old, rate, _t):
        ...         return w - rate * np.sign(g), {}
        >>> optimizer = SignDescent(0.25)
        >>> params = {"w": np.array([1., 2.])}
        >>> params, state = optimizer.update(params, {"w": np.array([-7., 7.])}, optimizer.init(params))
        >>> params["w"], state.step
        (array([1.25, 1.75]), 1)
    """

    learning_rate: float | Schedule

    def __post_init__(self) -> None:
        with inside(type(self).__name__):
            as_schedule(self.learning_rate)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """What is remembered for every parameter: one array of its shape for each of these names."""
        return ()

    @abstractmethod
    def rule(
        self, w: Array, g: Array, old: Mapping[str, Array], rate: float, t: int, /
    ) -> tuple[Array, dict[str, Array]]:
        """Return the new value of one parameter and its new slots.

        Args:
            w: the parameter.
            g: the gradient of the loss with respect to it, of its shape and dtype.
            old: its slots by name, zeros at its first gradient.
            rate: the learning rate η of this update.
            t: the number of this update, counted from 1.
        """

    def rules(self, given: Sequence[Given], rate: float, t: int, /) -> Iterable[tuple[Array, dict[str, Array]]]:
        """Return what ``rule`` gives for each of several parameters; a twin may do them at once."""
        return [self.rule(w, g, old, rate, t) for w, g, old in given]

    def init(self, params: Params) -> OptimizerState:
        """Return the state before the first update.

        It holds no arrays yet: which parameters are trained is known from their gradients, so their slots
        begin as zeros with the first one.

        Args:
            params: the parameters; refused where they are no float arrays.

        Raises:
            DTypeError: a parameter that is neither float32 nor float64.
        """
        for name, value in params.items():
            with inside(name):
                floats(type(self).__name__, parameter=value)
        return OptimizerState(0, {slot: {} for slot in self.slot_names})

    def rate(self, step: int) -> float:
        """Return the learning rate of the update number ``step``, counted from 0.

        Raises:
            OptionError: a schedule that gives no learning rate.
        """
        rate = as_schedule(self.learning_rate)(step)
        where = f"learning_rate at step {step}"
        return number(type(self).__name__, where, rate, 0.0, math.inf, open_high=True)

    def update(
        self, params: Params, gradients: Params, state: OptimizerState
    ) -> tuple[dict[str, Array], OptimizerState]:
        """Make one update; nothing is written to.

        Parameters without a gradient, such as running statistics, pass through as the arrays they are, and
        so do their slots.

        Args:
            params: all parameters by name.
            gradients: of those that are to be updated; one of another float dtype is rounded to that of its
                parameter.
            state: from ``init`` or the update before.

        Returns:
            All parameters in their order and dtypes, and the next state.

        Raises:
            OptionError: a gradient for an unknown parameter, a state of another optimiser, or a schedule that
                gives no learning rate.
            ShapeError: a gradient or slot of another shape than its parameter.
            DTypeError: a parameter or gradient that is neither float32 nor float64.
        """
        self._check(params, gradients, state)
        rate, t = self.rate(state.step), state.step + 1
        updated, slots = dict(params), {slot: dict(state.slots[slot]) for slot in self.slot_names}
        given: list[Given] = []
        for name, g in gradients.items():
            w = params[name]
            old: dict[str, Any] = {slot: held.get(name) for slot, held in slots.items()}
            given.append((w, g, old) if _alike(w, g, *old.values()) else self._given(name, w, g, old))
        for name, (w, _, _), (new, kept) in zip(gradients, given, self.rules(given, rate, t), strict=True):
            dtype = w.dtype
            updated[name] = new if type(new) is np.ndarray and new.dtype is dtype else np.asarray(new, dtype)
            for slot, value in kept.items():
                right = type(value) is np.ndarray and value.dtype is dtype
                slots[slot][name] = value if right else np.asarray(value, dtype)
        return updated, OptimizerState(t, slots)

    def _given(self, name: str, w: Array, g: Array, old: Mapping[str, Array | None]) -> Given:
        """Return what the rule is given for one parameter, refusing arrays that do not fit together."""
        where = type(self).__name__
        with inside(name):
            (w,), (g,) = floats(where, parameter=w), floats(where, gradient=g)
            shape(where, "gradient", g, w.shape, "a gradient has the shape of its parameter")
            slots = {slot: self._slot(slot, value, w) for slot, value in old.items()}
            return w, g.astype(w.dtype, copy=False), slots

    def _check(self, params: Params, gradients: Params, state: OptimizerState) -> None:
        """Refuse gradients of parameters that do not exist and the state of another optimiser."""
        where = type(self).__name__
        unknown = [name for name in gradients if name not in params]
        if unknown:
            expected = f"gradients of {', '.join(params) or 'no parameter'}"
            remedy = "name gradients as their parameters are named"
            raise OptionError(where, expected, f"one of {', '.join(unknown)}", remedy)
        if set(state.slots) != set(self.slot_names):
            expected = f"a state with the slots {list(self.slot_names)}"
            raise OptionError(where, expected, f"{list(state.slots)}", "begin with init(params) of this optimizer")

    def _slot(self, slot: str, value: Array | None, w: Array) -> Array:
        """Return what is remembered of a parameter, zeros if nothing is yet."""
        if value is None:
            return np.zeros_like(w)
        where, remedy = type(self).__name__, "the state belongs to other parameters: begin with init"
        (value,) = floats(where, **{slot: value})
        shape(where, slot, value, w.shape, remedy)
        return value.astype(w.dtype, copy=False)


def _alike(w: Any, *others: Any) -> bool:
    """Return whether all are arrays of one float dtype and shape, so that there is nothing to refuse or convert."""
    if type(w) is not np.ndarray or not w.flags.aligned:
        return False
    dtype, wanted = w.dtype, w.shape
    for a in others:
        if type(a) is not np.ndarray or a.dtype is not dtype or a.shape != wanted or not a.flags.aligned:
            return False
    return dtype in FLOATS
