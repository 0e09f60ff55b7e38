"""What all optimisers share: they are pure functions from parameters, gradients and state to new ones."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad import engines
from whygrad.errors import OptionError, inside
from whygrad.optim.schedules import Schedule, as_schedule
from whygrad.typing import Array, Params
from whygrad.validation import FLOATS, floats, number, shape


class OptimizerState(NamedTuple):
    """What an optimiser remembers between updates."""

    step: int  #: how many updates were made
    slots: dict[str, dict[str, Array]]  #: by slot and parameter: ``{"velocity": {"conv1.weight": array}}``


Arrays: TypeAlias = Sequence[Array]


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

    @cached_property
    def _schedule(self) -> Schedule:
        return as_schedule(self.learning_rate)

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

    def rules(
        self, ws: Arrays, gs: Arrays, old: Mapping[str, Arrays], rate: float, t: int, /
    ) -> tuple[Arrays, Mapping[str, Arrays]]:
        """Return what ``rule`` gives for many parameters: their new values, and by name their new slots.

        Here one after the other; a twin does them in one call. All arrays lie in C order; those of one parameter
        have its shape and dtype.
        """
        new: list[Array] = []
        kept: dict[str, list[Array]] = {slot: [] for slot in old}
        for i, (w, g) in enumerate(zip(ws, gs, strict=True)):
            before = {slot: held[i] for slot, held in old.items()}
            value, after = self.rule(w, g, before, rate, t)
            new.append(np.asarray(value, w.dtype))
            for slot, held in kept.items():
                held.append(np.asarray(after.get(slot, before[slot]), w.dtype))
        return new, kept

    def _twin(self, name: str, owner: type[Optimizer]) -> Any:
        """Return the compiled twin of ``owner``'s rule; None if a subclass has another or there is no twin."""
        return engines.twin(name) if type(self).rule is owner.rule else None

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
        rate = self._schedule(step)
        if type(rate) is float and 0.0 <= rate < math.inf:
            return rate
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
        names, held = list(gradients), {slot: state.slots[slot] for slot in self.slot_names}
        ws, gs = [params[name] for name in names], list(gradients.values())
        old: dict[str, Any] = {slot: [arrays.get(name) for name in names] for slot, arrays in held.items()}
        if not all(map(_alike, ws, gs, *old.values())):
            ws, gs, old = self._fitting(names, ws, gs, old)
        new, kept = self.rules(ws, gs, old, rate, t)
        updated = {**params, **dict(zip(names, new, strict=True))}
        slots = {slot: {**held[slot], **dict(zip(names, kept[slot], strict=True))} for slot in held}
        return updated, OptimizerState(t, slots)

    def _fitting(
        self, names: list[str], ws: list[Array], gs: list[Array], old: Mapping[str, list[Array | None]]
    ) -> tuple[list[Array], list[Array], dict[str, list[Array]]]:
        """Return what the rules are given, in C order, refusing arrays that do not fit together."""
        where = type(self).__name__
        slots: dict[str, list[Array]] = {slot: [] for slot in old}
        for i, name in enumerate(names):
            with inside(name):
                (ws[i],), (g,) = floats(where, parameter=ws[i]), floats(where, gradient=gs[i])
                shape(where, "gradient", g, ws[i].shape, "a gradient has the shape of its parameter")
                gs[i] = _in_c_order(g.astype(ws[i].dtype, copy=False))
                for slot, held in old.items():
                    slots[slot].append(_in_c_order(self._slot(slot, held[i], ws[i])))
                ws[i] = _in_c_order(ws[i])
        return ws, gs, slots

    def _check(self, params: Params, gradients: Params, state: OptimizerState) -> None:
        """Refuse gradients of parameters that do not exist and the state of another optimiser."""
        where = type(self).__name__
        if not gradients.keys() <= params.keys():
            unknown = [name for name in gradients if name not in params]
            expected = f"gradients of {', '.join(params) or 'no parameter'}"
            remedy = "name gradients as their parameters are named"
            raise OptionError(where, expected, f"one of {', '.join(unknown)}", remedy)
        if state.slots.keys() != set(self.slot_names):
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
    """Return whether all are arrays of one float dtype and shape in C order, so that there is nothing to do."""
    if type(w) is not np.ndarray or not w.flags.carray:
        return False
    dtype, wanted = w.dtype, w.shape
    for a in others:
        if type(a) is not np.ndarray or a.dtype is not dtype or a.shape != wanted or not a.flags.carray:
            return False
    return dtype in FLOATS


def _in_c_order(a: Array) -> Array:
    return a if a.flags.c_contiguous else a.copy(order="C")
