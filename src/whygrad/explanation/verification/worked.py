"""The numbers of a worked example: from what is given alone, or going on from what a person claims."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from whygrad.explanation.terms.rule import MINUS_ONE, Factor, Index, Rule, Term, number, product
from whygrad.explanation.verification.part import Part
from whygrad.explanation.verification.problem import Node, Problem, Quantity
from whygrad.typing import Array

#: Operations whose gradient with respect to x does not depend on x.
_LINEAR = ("add", "avg_pool2d", "concat", "conv2d", "conv_transpose2d", "dropout", "flatten", "global_avg_pool2d",
           "linear", "pad2d", "upsample_nearest2d")  # fmt: skip


class Source(NamedTuple):
    """One of the calls whose contributions add up to a quantity."""

    part: Part
    array: str  #: "y", "dx", "dw", ...
    names: dict[str, str]  #: what the arrays of the formula are here: {"x": "value of pool1"}
    sign: float = 1.0


class Explained(NamedTuple):
    """How an entry comes about."""

    rules: list[tuple[Rule, dict[str, str]]]  #: with what their letters stand for here
    terms: list[Term]
    numbers: dict[str, float]  #: of the entries in the terms: {"dy[0,1]": 0.5}


class World:
    """Quantities, computed when they are asked for.

    Args:
        problem: the network and what is given.
        claimed: numbers that take the place of computed ones wherever they are used; NaN where there are none.
    """

    def __init__(self, problem: Problem, claimed: dict[Quantity, Array] | None = None) -> None:
        self.problem = problem
        self.claimed = {} if claimed is None else claimed
        self._used: dict[Quantity, Array] = {}

    def used(self, quantity: Quantity) -> Array:
        """Return the quantity as whatever follows uses it."""
        if quantity not in self._used:
            if self.claims_all_of(quantity):
                self._used[quantity] = self.claimed[quantity]
            else:
                array, claimed = self.computed(quantity), self.claimed.get(quantity)
                self._used[quantity] = array if claimed is None else np.where(np.isnan(claimed), array, claimed)
        return self._used[quantity]

    def computed(self, quantity: Quantity) -> Array:
        """Return the quantity from those before it, or as it is given, whatever is claimed of it."""
        array = self.worked_out(quantity)
        given = self.problem.given.get(quantity)
        return array if given is None else np.where(np.isnan(given), array, given)

    def worked_out(self, quantity: Quantity) -> Array:
        """Return the quantity from those before it, whatever is given of it."""
        kind, name = quantity
        if kind == "value" and name in self.problem.inputs:
            return self.problem.inputs[name]
        if kind == "new":
            node, own = self.problem.parameter(name)
            step = self.problem.sign * self.problem.rate * self.used(Quantity("gradient", name))
            return node.parameters[own] - step
        found = self.sources(quantity)
        if not found:
            return np.full(self.problem.shape(quantity), np.nan)
        return sum((s.sign * _array(s) for s in found[1:]), found[0].sign * _array(found[0]))

    def sources(self, quantity: Quantity) -> list[Source]:
        """Return the calls that a value, loss, delta or gradient comes from."""
        kind, name = quantity
        problem = self.problem
        if kind == "value":
            return [] if name in problem.inputs else [self._source(problem.node(name), "y")]
        if kind == "loss":
            return self._loss("y", 1.0)
        if kind == "gradient":
            node, own = problem.parameter(name)
            return [self._source(node, f"d{own}")]
        if kind == "new":
            return []
        found = [self._source(node, f"d{own}") for node, own in problem.uses(name)]
        return found + (self._loss("dz", problem.sign) if name == problem.output else [])

    def _source(self, node: Node, array: str) -> Source:
        inputs = {own: self.used(Quantity("value", name)) for own, name in node.inputs.items()}
        constants = {own: a for own, a in node.parameters.items() if own.startswith("running_")}
        inputs |= {own: a for own, a in node.parameters.items() if own not in constants}
        names = {own: str(Quantity("value", name)) for own, name in node.inputs.items()}
        names |= {own: f"{node.name}.{title}" for own, title in node.titles.items()}
        y = dy = None
        if array != "y":
            y, dy = self.used(Quantity("value", node.name)), self.used(Quantity("delta", node.name))
            names |= {"y": str(Quantity("value", node.name)), "dy": str(Quantity("delta", node.name))}
        return Source(Part(node.op, inputs, node.options, constants, y, dy, node.winners), array, names)

    def _loss(self, array: str, sign: float) -> list[Source]:
        goal = self.problem.goal
        if goal is None:
            return []
        output = Quantity("value", self.problem.output)
        part = Part(goal.op, {"z": self.used(output)}, goal.options, {"t": goal.target})
        return [Source(part, array, {"z": str(output), "t": "target"}, sign)]

    def explained(self, quantity: Quantity, index: Index) -> Explained:
        """Return the rules and the terms of an entry."""
        if quantity.kind == "new":
            return self._update(quantity, index)
        found = Explained([], [], {})
        for source in self.sources(quantity):
            found.rules.append((source.part.rule(source.array), source.names))
            for term in source.part.terms(source.array, index):
                found.terms.append(term if source.sign > 0 else Term((MINUS_ONE, *term.factors), term.note))
                for cell in (cell for factor in term.factors for cell in factor.cells):
                    written = f"{cell.array}[{','.join(map(str, cell.index))}]"
                    found.numbers[written] = float(source.part.call.array(cell.array)[cell.index])
        return found

    def _update(self, quantity: Quantity, index: Index) -> Explained:
        node, own = self.problem.parameter(quantity.name)
        at = ",".join(map(str, index))
        w = Factor(f"w[{at}]", float(node.parameters[own][index]))
        g = Factor(f"g[{at}]", float(self.used(Quantity("gradient", quantity.name))[index]))
        terms = [product(w), product(number(-self.problem.sign), number(self.problem.rate, "η"), g)]
        sign = "+" if self.problem.sign < 0 else "−"
        names = {"w": quantity.name, "g": f"gradient of {quantity.name}", "η": "learning rate"}
        return Explained([(Rule(f"w′ = w {sign} η·g", lambda *_: terms), names)], terms, {})

    def claims_all_of(self, quantity: Quantity) -> bool:
        """Return whether every cell of a quantity is claimed, so that nothing before it matters."""
        return quantity in self.claimed and not np.isnan(self.claimed[quantity]).any()

    def before(self, quantity: Quantity) -> list[Quantity]:
        """Return the quantities that one is computed from, the nearest first, up to those claimed in full."""
        found: list[Quantity] = []
        waiting = [quantity]
        while waiting:
            for one in self._directly_before(waiting.pop(0)):
                if one not in found:
                    found.append(one)
                    if not self.claims_all_of(one):
                        waiting.append(one)
        return found

    def _directly_before(self, quantity: Quantity) -> list[Quantity]:
        kind, name = quantity
        problem = self.problem
        if kind == "value":
            names = [] if name in problem.inputs else list(problem.node(name).inputs.values())
            return [Quantity("value", one) for one in names]
        if kind == "loss":
            return [Quantity("value", problem.output)]
        if kind == "new":
            return [Quantity("gradient", name)]
        if kind == "gradient":
            node, _ = problem.parameter(name)
            return [Quantity("delta", node.name), *(Quantity("value", one) for one in node.inputs.values())]
        found = []
        for node, _ in problem.uses(name):
            found.append(Quantity("delta", node.name))
            if node.op not in _LINEAR:
                found += [Quantity("value", node.name), *(Quantity("value", v) for v in node.inputs.values())]
        if name == problem.output and problem.goal is not None:
            found.append(Quantity("value", name))
        return found


def _array(source: Source) -> Array:
    part = source.part
    return part.value if source.array == "y" else part.gradient(source.array[1:])
