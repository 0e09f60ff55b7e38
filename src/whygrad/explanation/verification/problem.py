"""What is to be verified: a small network, what is given of it, and the numbers that a person computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from whygrad.explanation.terms.rule import Index
from whygrad.explanation.trace import Convention
from whygrad.explanation.verification.printed import Printed
from whygrad.typing import Array, Shape

Kind = Literal["value", "loss", "delta", "gradient", "new"]


class Quantity(NamedTuple):
    """An array that can be computed: a layer's value, the delta of it, a gradient, new weights, the loss."""

    kind: Kind
    name: str = ""  #: of a value, or of a parameter: "conv1", "conv1.weight"

    def __str__(self) -> str:
        return {
            "value": f"value of {self.name}",
            "loss": "loss",
            "delta": f"delta of {self.name}",
            "gradient": f"gradient of {self.name}",
            "new": f"new {self.name}",
        }[self.kind]

    @property
    def key(self) -> str:
        """What stands in the file: ``gradient.conv1.weight``."""
        return f"{self.kind}.{self.name}" if self.name else self.kind


@dataclass(frozen=True, eq=False)
class Node:
    """A layer: one call of an operation. NaN stands for what is not known."""

    name: str
    op: str
    inputs: dict[str, str]  #: the values that go in, by the operation's own names
    parameters: dict[str, Array]  #: by the operation's own names
    titles: dict[str, str]  #: the parameters' names in the file: {"w": "weight"}
    options: Mapping[str, Any]
    winners: Array | None = None  #: of max-pooling, (N, C, rows, columns, 2), where they were given


class Goal(NamedTuple):
    """The loss."""

    op: str
    target: Array
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Claims:
    """What a person computed, in one go."""

    title: str
    cells: dict[Quantity, dict[Index, Printed]]
    ranks: dict[Quantity, int]  #: with how many axes they were written


@dataclass(frozen=True, eq=False)
class Problem:
    """A worked example.

    Args:
        subject: the file's name or title.
        convention: the sign of deltas and gradients: "gradient" ∂E/∂z, "hertz" −∂E/∂z.
        rate: the learning rate, NaN if there is none.
        inputs: arrays by name.
        nodes: the layers, in order.
        shapes: of the inputs and the layers' values, by name.
        goal: the loss, if there is one.
        given: what is taken as it is instead of being computed; NaN where it is not.
        claims: one attempt or several.
    """

    subject: str
    convention: Convention
    rate: float
    inputs: dict[str, Array]
    nodes: list[Node]
    shapes: dict[str, Shape]
    goal: Goal | None = None
    given: dict[Quantity, Array] = field(default_factory=dict)
    claims: list[Claims] = field(default_factory=list)

    @property
    def sign(self) -> float:
        """What gradients are multiplied by."""
        return -1.0 if self.convention == "hertz" else 1.0

    @property
    def output(self) -> str:
        """The name of the last value."""
        return self.nodes[-1].name

    def node(self, name: str) -> Node:
        """Return the layer of that name."""
        return next(node for node in self.nodes if node.name == name)

    def parameter(self, name: str) -> tuple[Node, str]:
        """Return the layer of a parameter, and its name in the operation."""
        layer, _, title = name.rpartition(".")
        node = self.node(layer)
        return node, next(own for own, written in node.titles.items() if written == title)

    def uses(self, name: str) -> list[tuple[Node, str]]:
        """Return the layers that take a value, and under which name."""
        return [(node, own) for node in self.nodes for own, source in node.inputs.items() if source == name]

    def shape(self, quantity: Quantity) -> Shape:
        """Return the shape of a quantity."""
        if quantity.kind == "loss":
            return ()
        if quantity.kind in ("value", "delta"):
            return self.shapes[quantity.name]
        node, own = self.parameter(quantity.name)
        return node.parameters[own].shape

    def order(self) -> list[Quantity]:
        """Return all quantities, each after those that it is computed from."""
        values = [*self.inputs, *(node.name for node in self.nodes)]
        found = [Quantity("value", name) for name in values] + [Quantity("loss")]
        for name in reversed(values):
            found.append(Quantity("delta", name))
            for node in self.nodes:
                if node.name == name:
                    for own in trained(node):
                        full = f"{name}.{node.titles[own]}"
                        found += [Quantity("gradient", full), Quantity("new", full)]
        return found


def trained(node: Node) -> list[str]:
    """Return a layer's parameters that get a gradient, by the operation's own names."""
    return [own for own in node.parameters if not own.startswith("running_")]
