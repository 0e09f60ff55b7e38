"""Rules of operations that take every entry by itself: the activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from whygrad.explanation.terms.rule import MINUS, Call, Factor, Index, Rule, Term, Words, product

#: Factors whose product is y, given the call and x.
Value = Callable[[Call, Factor], Iterable[Factor]]
#: Products that add up to dy/dx, given the call, x and y.
Slope = Callable[[Call, Factor, Factor], Iterable[tuple[Factor, ...]]]


def pointwise(
    y: str, dx: str, value: Value, slope: Slope, words: Words | None = None, where: str = ""
) -> dict[str, Rule]:
    """Return the rules of an activation.

    Args:
        y: the formula of its value, of any entry.
        dx: the formula of its gradient.
        value: the factors of y.
        slope: the products that dy is multiplied by.
        words: a sentence on an entry of dx.
        where: what the symbols mean.
    """
    backward = Rule(dx, partial(_dx, slope), where)
    return {
        "y": Rule(y, partial(_y, value), where),
        "dx": backward if words is None else backward._replace(words=words),
    }


def _y(value: Value, call: Call, *index: int) -> Iterator[Term]:
    yield product(*value(call, call["x"][index]))


def _dx(slope: Slope, call: Call, *index: int) -> Iterator[Term]:
    for factors in slope(call, call["x"][index], call["y"][index]):
        yield product(call["dy"][index], *factors)


def of(text: str, value: float, *entries: Factor, size: float = 0.0) -> Factor:
    """Return a factor that is computed from some entries, which stand in its text as {0}, {1}, ...

    Example:
        >>> of("tanh({0})", 0.5, Factor("x[3]", 0.549, (("x", (3,)),))).text
        'tanh(x[3])'
    """
    cells = tuple(cell for entry in entries for cell in entry.cells)
    return Factor(text.replace("-", MINUS).format(*(entry.text for entry in entries)), value, cells, size)


def gate(x: Factor) -> Factor:
    """Return [x > 0]: 1 where it is true, else 0."""
    return of("[{0} > 0]", float(x.value > 0), x)


def sigmoid(x: float) -> float:
    """Return 1/(1 + e^(−x)).

    Example:
        >>> sigmoid(0.0), sigmoid(-1000.0)
        (0.5, 0.0)
    """
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


def gate_words(call: Call, index: Index, terms: list[Term]) -> str:
    """Say whether the gate of a rectifier is open."""
    del terms
    x = float(call.inputs["x"][index])
    if math.isnan(x):
        return "x is not a number."
    side = "above 0: the gate is open" if x > 0 else "not above 0: the gate is closed"
    return f"x is {side}."
