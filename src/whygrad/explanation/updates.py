"""What an optimiser adds to one entry of a parameter."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np

from whygrad.errors import OptionError
from whygrad.explanation.entry import Part
from whygrad.explanation.terms import Term
from whygrad.explanation.terms.rule import MINUS, MINUS_ONE, Factor, number, product
from whygrad.explanation.trace import Trace
from whygrad.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from whygrad.optim.optimizer import OptimizerState

Index = tuple[int, ...]


def update_part(
    trace: Trace, name: str, at: Index, optimizer: Optimizer, state: OptimizerState | None
) -> tuple[Part, float]:
    """Return what one step of the optimiser adds to a parameter's entry, and what it becomes.

    Raises:
        OptionError: an optimiser without a known formula.
    """
    state = optimizer.init(trace.params) if state is None else state
    gradients = {name: trace.sign * trace.gradients[name]}
    after, _ = optimizer.update(trace.params, gradients, state)
    entry = _Entry(trace, name, at, optimizer.rate(state.step), state)
    for kind, (formula, terms) in _RULES.items():
        if type(optimizer) is kind:
            products = tuple(terms(optimizer, entry))
            bindings = {"w": name, "g": f"∂E/∂{name}"}
            symbol = f"new w[{','.join(map(str, at))}]"
            words = _words(entry, float(after[name][at]))
            written = formula if trace.sign > 0 else formula + ", with g = −δ"
            return Part("optimizer", kind.__name__, symbol, written, _WHERE, bindings, products, words), float(
                after[name][at]
            )
    expected = f"an optimiser among {', '.join(kind.__name__ for kind in _RULES)}"
    raise OptionError("explain", expected, type(optimizer).__name__, "pass one of these")


class _Entry:
    """One entry of a parameter, its gradient, and its slots, as factors."""

    def __init__(self, trace: Trace, name: str, at: Index, rate: float, state: OptimizerState) -> None:
        written = ",".join(map(str, at))
        self.w = Factor(f"w[{written}]", float(trace.params[name][at]))
        self._delta = float(trace.gradients[name][at])
        self.g = trace.sign * self._delta
        self.written, self.hertz, self.rate, self.step = written, trace.sign < 0, rate, state.step + 1
        self._slots = {slot: arrays.get(name) for slot, arrays in state.slots.items()}
        self._at = at

    def slot(self, name: str) -> float:
        """Return what the optimiser remembers of the entry; 0 before its first step."""
        array = self._slots.get(name)
        return 0.0 if array is None else float(array[self._at])

    def down(self, *factors: Factor) -> Term:
        """Return −η times some factors."""
        return product(MINUS_ONE, number(self.rate), *factors)

    def against_gradient(self, *factors: Factor) -> Term:
        """Return −η·g times some factors: +η·δ under the convention that δ is −∂E/∂w."""
        if self.hertz:
            return product(number(self.rate), Factor(f"δ[{self.written}]", self._delta), *factors)
        return self.down(Factor(f"g[{self.written}]", self.g), *factors)


def _sgd(optimizer: SGD, entry: _Entry) -> Iterator[Term]:
    m, decay = optimizer.momentum, optimizer.weight_decay
    yield product(entry.w)
    ahead = (number(1 + m, "(1 + m)"),) if optimizer.nesterov else ()
    if m:
        kept = number(m * m, "m^2") if optimizer.nesterov else number(m, "m")
        yield entry.down(kept, Factor(f"v[{entry.written}]", entry.slot("velocity")))._replace(note="momentum")
    yield entry.against_gradient(*ahead)
    if decay:
        yield entry.down(*(() if optimizer.decoupled else ahead), number(decay, "λ"), entry.w)._replace(
            note="weight decay"
        )


def _adam(optimizer: Adam, entry: _Entry) -> Iterator[Term]:
    decoupled = isinstance(optimizer, AdamW)
    g = entry.g if decoupled else entry.g + optimizer.weight_decay * entry.w.value
    m = optimizer.beta1 * entry.slot("mean") + (1 - optimizer.beta1) * g
    v = optimizer.beta2 * entry.slot("square") + (1 - optimizer.beta2) * g * g
    m_hat, v_hat = m / (1 - optimizer.beta1**entry.step), v / (1 - optimizer.beta2**entry.step)
    yield product(entry.w)
    if decoupled and optimizer.weight_decay:
        yield entry.down(number(optimizer.weight_decay, "λ"), entry.w)._replace(note="weight decay")
    scale = Factor("1/(√v̂ + ε)", 1 / (sqrt(v_hat) + optimizer.eps))
    yield entry.down(Factor(f"m̂[{entry.written}]", m_hat), scale)


def _rmsprop(optimizer: RMSprop, entry: _Entry) -> Iterator[Term]:
    g = entry.g + optimizer.weight_decay * entry.w.value
    s = optimizer.alpha * entry.slot("square") + (1 - optimizer.alpha) * g * g
    if optimizer.centered:
        mean = optimizer.alpha * entry.slot("mean") + (1 - optimizer.alpha) * g
        s = max(s - mean * mean, 0.0)
    yield product(entry.w)
    if optimizer.momentum:
        kept = number(optimizer.momentum, "m")
        yield entry.down(kept, Factor(f"v[{entry.written}]", entry.slot("velocity")))._replace(note="momentum")
    scale = Factor("1/(√s + ε)", 1 / (sqrt(s) + optimizer.eps))
    if optimizer.weight_decay:
        yield entry.down(Factor("(g + λ·w)", g), scale)
    else:
        yield entry.against_gradient(scale)


_WHERE = "g = ∂E/∂w, η learning rate, λ weight decay, m momentum"
_RULES = {
    SGD: ("new w = w − η·(m·v + g + λ·w)", _sgd),
    Adam: ("new w = w − η·m̂/(√v̂ + ε)", _adam),
    AdamW: ("new w = w − η·λ·w − η·m̂/(√v̂ + ε)", _adam),
    RMSprop: ("new w = w − η·g/(√s + ε)", _rmsprop),
}


def _words(entry: _Entry, after: float) -> str:
    moved = after - entry.w.value
    if not np.isfinite(moved):
        return "The new value is not finite."
    if moved == 0:
        return "The weight stays where it is."
    way = "up" if moved > 0 else "down"
    gradient = f"{entry.g:.6g}".replace("-", MINUS)
    return f"The weight moves {way} by {abs(moved):.6g}; its gradient is {gradient}."
