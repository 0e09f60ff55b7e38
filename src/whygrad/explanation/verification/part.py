"""One call of an operation or loss of which not everything need be known.

Where all is known the operation computes; elsewhere the rules do, entry by entry, and what depends on something
unknown (NaN) is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum
from typing import Any

import numpy as np

from whygrad.engines import engine
from whygrad.explanation.terms.max_pool2d import where_of
from whygrad.explanation.terms.pointwise import of
from whygrad.explanation.terms.positions import seeing
from whygrad.explanation.terms.registry import rule
from whygrad.explanation.terms.rule import Call, Cell, Factor, Index, Rule, Term, every, product
from whygrad.losses.registry import LOSSES
from whygrad.ops.batch_norm2d import BatchNorm
from whygrad.ops.registry import OPERATIONS
from whygrad.typing import Array

#: Operations whose gradient is a function of their value, which may have been given.
_FROM_VALUE = ("sigmoid", "tanh", "softmax", "log_softmax")
#: Operations whose value has the sign of x, so that either says whether the gate is open.
_GATES = ("relu", "leaky_relu")


@dataclass(frozen=True, eq=False)
class Part:
    """A call, with NaN for what is not known.

    Args:
        op: the name of the operation or loss.
        inputs: its arrays, parameters among them, by its own names; for a loss "z".
        options: its keyword arguments.
        constants: arrays without gradient: running statistics, the target "t".
        y: the value that is used further on, if it need not be the computed one.
        dy: the delta of the value.
        winners: of a max-pooling, where they were given.
    """

    op: str
    inputs: dict[str, Array]
    options: Mapping[str, Any]
    constants: dict[str, Array] = field(default_factory=dict)
    y: Array | None = None
    dy: Array | None = None
    winners: Array | None = None

    @cached_property
    def _run(self) -> tuple[Array, Any]:
        with engine("definition"), np.errstate(all="ignore"):
            if self.op in LOSSES:
                error, dz = LOSSES[self.op].function(self.inputs["z"], self.constants["t"], **self.options)
                return np.asarray(error), dz
            y, pullback = OPERATIONS[self.op].function(
                *self.inputs.values(), *self.constants.values(), **self.options
            )
            return (y.y if isinstance(y, BatchNorm) else y), pullback

    @cached_property
    def value(self) -> Array:
        """The value, computed."""
        computed = self._run[0]
        if self._known:
            return computed
        if self.winners is not None:
            return self._at_winners(computed)
        return self._by_rules("y", computed.shape)

    @property
    def _known(self) -> bool:
        return not any(np.isnan(array).any() for array in self.inputs.values()) and self.winners is None

    @cached_property
    def _pulled(self) -> dict[str, Array]:
        """The gradients as the operation's own pullback gives them."""
        if self.op in LOSSES:
            return {"z": self._run[1]}
        assert self.dy is not None
        with engine("definition"), np.errstate(all="ignore"):
            back = self._run[1](self.dy)
        return dict(zip(self.inputs, back if isinstance(back, tuple) else (back,), strict=False))

    def gradient(self, name: str) -> Array:
        """Return the gradient of an input by the operation's own name for it."""
        other = self.op in _FROM_VALUE and self.y is not None and not np.array_equal(self.y, self._run[0])
        if self._known and not other and (self.dy is None or not np.isnan(self.dy).any()):
            return self._pulled[name]
        return self._by_rules(f"d{name}", self.inputs[name].shape)

    @cached_property
    def call(self) -> Call:
        """The call as the rules take it."""
        inputs = dict(self.inputs)
        y = self._run[0] if self.y is None else self.y
        if self.op in _GATES:
            inputs["x"] = np.where(np.isnan(inputs["x"]), y, inputs["x"])
        gradients = self._pulled if self.dy is not None or self.op in LOSSES else {}
        return Call(self.op, inputs, self.options, y, self.dy, gradients, self.constants)

    def rule(self, array: str) -> Rule:
        """Return the rule of an array: "y", "dx", ..."""
        return rule(self.op, array)

    def terms(self, array: str, index: Index) -> list[Term]:
        """Return what an entry is the sum of; NaN among it where something is not known."""
        if self.winners is not None and array == "dx":
            return list(self._routes(*index))
        if self.op == "sigmoid" and array == "dx":
            return [_checked(self.call, _slope_of_sigmoid(self.call, index))]
        return [_checked(self.call, term) for term in self.rule(array).terms(self.call, *index)]

    def _by_rules(self, array: str, shape: tuple[int, ...]) -> Array:
        found = np.full(shape, np.nan)
        with np.errstate(all="ignore"):
            for index in every(*shape):
                found[index] = fsum(_value(term) for term in self.terms(array, index))
        return found

    def _routes(self, n: int, c: int, a: int, b: int) -> Iterator[Term]:
        assert self.winners is not None
        for at in seeing(where_of(self.call), a, b):
            won = tuple(int(k) for k in self.winners[n, c, at.i, at.j])
            text = f"[winner[{n},{c},{at.i},{at.j}] = ({a},{b})]"
            gate = Factor(text, float(won == (a, b)))
            yield _checked(self.call, product(self.call["dy"][n, c, at.i, at.j], gate))

    def _at_winners(self, computed: Array) -> Array:
        assert self.winners is not None
        x, found = self.inputs["x"], np.full(computed.shape, np.nan)
        for index in every(*computed.shape):
            a, b = self.winners[index]
            found[index] = x[index[0], index[1], a, b]
        return found


def _slope_of_sigmoid(call: Call, index: Index) -> Term:
    """Return dy·y·(1 − y) with the y that is used, which may be one that somebody rounded."""
    y = call["y"][index]
    return product(call["dy"][index], y, of("(1 - {0})", 1 - y.value, y))


def _checked(call: Call, term: Term) -> Term:
    """Return a term with NaN for every factor that depends on something unknown."""
    return Term(tuple(_factor(call, factor) for factor in term.factors), term.note)


def _factor(call: Call, factor: Factor) -> Factor:
    if math.isnan(factor.value) or any(_unknown(call, cell) for cell in factor.cells):
        return factor._replace(value=math.nan)
    return factor


def _unknown(call: Call, cell: Cell) -> bool:
    return bool(np.isnan(call.array(cell.array)[cell.index]))


def _value(term: Term) -> float:
    """Return a term's value: 0 times something unknown is 0."""
    return 0.0 if any(factor.value == 0 for factor in term.factors) else term.value
