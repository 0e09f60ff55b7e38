"""What explains one entry of an array: a formula, and the products that add up to the entry."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import fsum, prod
from typing import Any, NamedTuple

from whygrad.typing import Array

Index = tuple[int, ...]

#: The minus sign of formulas.
MINUS = "−"


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of an array of an operation's call."""

    array: str  #: "x", "w", "y", "dy", ...
    index: Index


class Factor(NamedTuple):
    """One number in a product: how it is written, what it is, and the entries that it is made of."""

    text: str  #: in the notation of formulas: "dy[0,1,2,2]" or "1 − y[0,1]"
    value: float
    cells: tuple[Cell, ...] = ()
    size: float = 0.0  #: of a difference, what it is the difference of: its rounding errors are relative to that


class Term(NamedTuple):
    """A product, one of those that add up to an entry."""

    factors: tuple[Factor, ...]
    note: str = ""  #: what is to be said of it: "the largest of 4"

    @property
    def value(self) -> float:
        """The product of the factors."""
        return prod(factor.value for factor in self.factors)

    @property
    def size(self) -> float:
        """What rounding errors of the term are relative to: its own size, unless something cancelled in it."""
        return prod(max(abs(factor.value), factor.size) for factor in self.factors)


def product(*factors: Factor, note: str = "") -> Term:
    """Return the product of some factors."""
    return Term(factors, note)


def number(value: float, text: str | None = None) -> Factor:
    """Return a constant as a factor.

    Example:
        >>> number(0.5, "1/2")
        Factor(text='1/2', value=0.5, cells=(), size=0.0)
        >>> number(-2.0).text
        '−2'
    """
    value = float(value)
    return Factor(f"{value:.6g}".replace("-", MINUS) if text is None else text, value)


MINUS_ONE = number(-1.0)


class Entries:
    """An array of a call whose entries are factors: ``call["dy"][0, 1]``."""

    def __init__(self, name: str, array: Array) -> None:
        self.name, self.array = name, array

    def __getitem__(self, index: int | Index) -> Factor:
        at = index if isinstance(index, tuple) else (index,)
        written = ",".join(map(str, at))
        return Factor(f"{self.name}[{written}]", float(self.array[at]), (Cell(self.name, at),))


@dataclass(frozen=True, eq=False)
class Call:
    """One call of an operation, with all that went into it and came out of it.

    Args:
        op: the name of the operation, or of a loss.
        inputs: what it was called with, by the names of its arguments; for a loss "z", the predictions.
        options: its keyword arguments.
        y: its value.
        dy: the gradient of E with respect to y; None before there is one.
        gradients: of the inputs, by the names of the inputs; empty before there are any.
        constants: arrays that the value depends on and that get no gradient: running statistics, targets, masks.
    """

    op: str
    inputs: Mapping[str, Array]
    options: Mapping[str, Any]
    y: Array
    dy: Array | None = None
    gradients: Mapping[str, Array] = field(default_factory=dict)
    constants: Mapping[str, Array] = field(default_factory=dict)
    pullback: Callable[[Array], Any] | None = None  #: the operation's own
    remembered: dict[str, Any] = field(default_factory=dict)  #: what terms of several entries need: windows, means

    def array(self, name: str) -> Array:
        """Return an array by the name that formulas give it: "x", "y", "dy", "dx", or a constant's own."""
        if name == "y":
            return self.y
        if name == "dy":
            if self.dy is None:
                raise KeyError(name)
            return self.dy
        if name in self.inputs:
            return self.inputs[name]
        if name in self.constants:
            return self.constants[name]
        return self.gradients[name.removeprefix("d")]

    def __getitem__(self, name: str) -> Entries:
        return Entries(name, self.array(name))

    def pull(self, dy: Array) -> Any:
        """Return what the operation's own pullback makes of another dy."""
        assert self.pullback is not None
        return self.pullback(dy)

    def once(self, name: str, make: Callable[[Call], Any]) -> Any:
        """Return what ``make`` gives for this call, made once."""
        if name not in self.remembered:
            self.remembered[name] = make(self)
        return self.remembered[name]


Terms = Callable[..., Iterable[Term]]
#: A sentence on an entry, given the call, its index and its terms; empty if there is nothing to say.
Words = Callable[[Call, Index, list[Term]], str]


def _silent(call: Call, index: Index, terms: list[Term]) -> str:
    del call, index, terms
    return ""


class Rule(NamedTuple):
    """How an entry of one array of a call comes about.

    ``terms(call, *index)`` gives the products; ``formula`` says the same of any index, in the notation of
    ``whygrad.explanation.notation``; ``where`` adds what the symbols in it mean.
    """

    formula: str
    terms: Terms
    where: str = ""
    words: Words = _silent


def total(terms: Iterable[Term]) -> float:
    """Return the sum of the terms, rounded once.

    Example:
        >>> total([product(number(3.0), number(0.5)), product(number(-1.0))])
        0.5
    """
    return fsum(term.value for term in terms)


def every(*sizes: int) -> Iterator[Index]:
    """Yield every index of an array of these sizes, the last one fastest.

    Example:
        >>> list(every(1, 2))
        [(0, 0), (0, 1)]
    """
    return itertools.product(*map(range, sizes))
