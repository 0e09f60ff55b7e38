"""The layers, weights, inputs and the loss of a worked example, and the shapes that follow from them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad.engines import engine
from whygrad.errors import OptionError, ShapeError, WhygradError
from whygrad.explanation.calls import signature
from whygrad.explanation.verification.part import Part
from whygrad.explanation.verification.place import Place
from whygrad.explanation.verification.problem import Goal, Node
from whygrad.explanation.verification.winners import refuse_outside
from whygrad.losses.registry import LOSSES
from whygrad.ops.registry import OPERATIONS
from whygrad.typing import Array, Shape

#: What parameters are called in a file, in the order in which operations take them.
_TITLES = ("weight", "bias", "running_mean", "running_var")
_RANKS = {"conv2d": (4, 1), "conv_transpose2d": (4, 1), "linear": (2, 1), "batch_norm2d": (1, 1, 1, 1),
          "layer_norm": (1, 1)}  # fmt: skip
#: The axes that an operation asks of its input; others take any.
_INPUT_RANKS = {"linear": 2, "layer_norm": 2, "softmax": 2, "log_softmax": 2} | dict.fromkeys(
    ("conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "global_avg_pool2d", "pad2d", "upsample_nearest2d",
     "batch_norm2d", "flatten"), 4
)  # fmt: skip
_RESERVED = ("name", "op", "from", "winners")


class Network:
    """Reads inputs, layers and loss, in this order.

    Attributes:
        inputs: by name, with all axes.
        nodes: the layers.
        shapes: of the inputs and of the layers' values.
        goal: the loss, if there is one.
    """

    def __init__(self, top: Place) -> None:
        self.top = top
        if not isinstance(top.value.get("layers"), list) or not top.value["layers"]:
            remedy = 'add [[layers]] with op = "conv2d", weight = [[1, 0], [0, 1]]'
            raise OptionError(f"{top.file}, layers", "the layers in order", "none", remedy)
        layers = top.at("layers")
        self._places = [layers.at(i) for i in range(len(layers.value))]
        self._names, self._sources = self._wiring()
        self.inputs = {name: self._input(name, place) for name, place in self._input_places().items()}
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {name: array.shape for name, array in self.inputs.items()}
        for name, place in zip(self._names, self._places, strict=True):
            self._add(name, place)
        self.goal = self._goal(top.at("loss")) if "loss" in top.value else None

    def _input_places(self) -> dict[str, Place]:
        if "inputs" in self.top.value:
            if "input" in self.top.value:
                self.top.at("inputs").wrong("input or inputs", "both", "leave one out")
            return dict(self.top.at("inputs").items())
        if "input" not in self.top.value:
            remedy = "add input = [[...]], or input = { shape = [1, 1, 5, 5] } where its numbers are not known"
            raise OptionError(f"{self.top.file}, input", "the input's numbers", "none", remedy)
        return {"input": self.top.at("input")}

    def _wiring(self) -> tuple[list[str], list[list[str]]]:
        """Return the layers' names, and the names of the values that go into each."""
        known = list(self.top.value["inputs"]) if isinstance(self.top.value.get("inputs"), Mapping) else ["input"]
        names: list[str] = []
        sources: list[list[str]] = []
        for place in self._places:
            op = self._op(place)
            name = place.at("name").text() if "name" in place.value else self._free(op, [*known, *names])
            if name in (*known, *names) or not name or "." in name:
                place.wrong("a name of its own without a dot", repr(name), "give the layer another name")
            before = [*known, *names]
            taken = [before[-1]]
            if "from" in place.value:
                given = place.at("from")
                parts = [given.at(i) for i in range(len(given.value))] if isinstance(given.value, list) else [given]
                taken = [one.choice(before, "an input or a layer above") for one in parts]
            names.append(name)
            sources.append(taken)
        return names, sources

    @staticmethod
    def _free(op: str, taken: list[str]) -> str:
        name, again = op, 2
        while name in taken:
            name, again = f"{op}_{again}", again + 1
        return name

    @staticmethod
    def _op(place: Place) -> str:
        if not isinstance(place.value, Mapping) or "op" not in place.value:
            place.wrong("op, the layer's operation", "none", 'add op = "conv2d" or another operation')
        return place.at("op").choice(OPERATIONS, "an operation")

    def _input(self, name: str, place: Place) -> Array:
        if isinstance(place.value, Mapping):
            place.only(("shape",), "what stands for an unknown input")
            shape = place.at("shape").plain() if "shape" in place.value else None
            if not isinstance(shape, tuple) or not all(type(n) is int and 0 < n < 10_000 for n in shape):
                place.wrong("shape = [N, C, H, W]", repr(shape), "write whole numbers above 0")
            return np.full(shape, np.nan)
        array = place.array()
        rank = self._rank(name)
        if rank is None:
            rank = max(array.ndim, 2)
        if array.ndim > rank or not array.size:
            place.wrong(f"up to {rank} axes", f"shape {array.shape}", "leave out the axes that are too many")
        return array.reshape((1,) * (rank - array.ndim) + array.shape)

    def _rank(self, name: str) -> int | None:
        """Return how many axes the operations that follow an input ask for."""
        for i, taken in enumerate(self._sources):
            if name in taken:
                op = self._places[i].value["op"]
                rank = _INPUT_RANKS.get(op) or self._rank(self._names[i])
                if rank:
                    return rank
        return None

    def _add(self, name: str, place: Place) -> None:
        op = place.value["op"]
        found = signature(op)
        taken = self._sources[self._names.index(name)]
        count = sum(own in ("x", "a") or (own == "b" and op == "add") for own in found.inputs)
        if not found.several and len(taken) != count:
            place.wrong(
                f"{count} input{'s'[: count != 1]}", f"{len(taken)}", 'name what goes in: from = "input", or a list'
            )
        own = [f"x{i}" for i in range(len(taken))] if found.several else list(found.inputs[:count])
        names = dict(zip(found.inputs[count:], _TITLES, strict=False)) if not found.several else {}
        options = [option for option in found.options if option != "rng"]
        place.only([*_RESERVED, *names.values(), *options], f"the keys of {op}")
        parameters = self._parameters(op, names, place)
        titles = {one: title for one, title in names.items() if one in parameters}
        node = Node(
            name, op, dict(zip(own, taken, strict=True)), parameters, titles, self._options(op, options, place)
        )
        y = self._try(node, place)
        if "winners" in place.value:
            node = replace(node, winners=self._winners(node, y.shape, place.at("winners")))
        self.nodes.append(node)
        self.shapes[name] = y.shape

    @staticmethod
    def _options(op: str, known: list[str], place: Place) -> dict[str, Any]:
        options = {name: place.at(name).plain() for name in known if name in place.value}
        for name, parameter in inspect.signature(OPERATIONS[op].function).parameters.items():
            needed = parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
            if needed and name != "training" and name not in options:
                place.wrong(f"{name}, an option of {op}", "none", f"add {name} = 2 or what it is")
        if op == "dropout":
            if options.setdefault("training", False):
                place.wrong("training = false", "true", "its masks are drawn; write the mask into the weights")
        elif "training" in known and not isinstance(options.get("training"), bool):
            remedy = "write training = true for the batch's mean and variance, false for running ones"
            place.wrong("training = true or false", repr(options.get("training")), remedy)
        return options

    @staticmethod
    def _parameters(op: str, names: dict[str, str], place: Place) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for (own, title), rank in zip(names.items(), _RANKS.get(op, ()), strict=False):
            if title not in place.value:
                if own == "b":  # a convolution or dense layer without a bias
                    continue
                if title.startswith("running_") and place.value.get("training") is True:
                    found[own] = np.ones_like(found["gamma"]) * float(title == "running_var")
                    continue
                remedy = f'add {title} = [...], with "_" for numbers that are not known'
                place.wrong(f"{title}, the weights of {op}", "none", remedy)
            array = place.at(title).array()
            if array.ndim > rank and own != "b":
                place.at(title).wrong(f"up to {rank} axes", f"shape {array.shape}", "leave out axes")
            if not array.size:
                place.at(title).wrong("numbers", "an empty array", "write the weights")
            found[own] = array.reshape((1,) * (rank - array.ndim) + array.shape)
        return found

    def _try(self, node: Node, place: Place) -> Array:
        """Call the operation with numbers in place of what is not known, for the shape of its value."""
        arrays = {own: np.full(self.shapes[name], 0.5) for own, name in node.inputs.items()}
        constants = {own: a for own, a in node.parameters.items() if own.startswith("running_")}
        arrays |= {own: np.nan_to_num(a) for own, a in node.parameters.items() if own not in constants}
        try:
            with engine("definition"):
                return Part(node.op, arrays, node.options, constants).value
        except WhygradError as error:
            raise place.again(error) from None
        except (TypeError, ValueError) as error:
            place.wrong(f"options of {node.op} that it takes", str(error), "correct them")

    def _winners(self, node: Node, shape: Shape, place: Place) -> Array:
        if node.op != "max_pool2d":
            place.wrong("winners of a max_pool2d", f"those of {node.op}", "leave it out")
        array = lifted(place, place.array(), (*shape, 2), "the winners, [row, column] for every window,")
        rows, columns = self.shapes[node.inputs["x"]][2:]
        inside = (array >= 0) & (array < (rows, columns)) & (array == np.floor(array))
        if not inside.all():
            place.wrong(f"places from 0,0 to {rows - 1},{columns - 1}", "another", "count rows and columns from 0")
        refuse_outside(node, array.astype(int), self.shapes[node.inputs["x"]], place)
        return array.astype(int)

    def _goal(self, place: Place) -> Goal:
        if not isinstance(place.value, Mapping) or "op" not in place.value:
            place.wrong("op, the loss", "none", f"add op, one of {', '.join(LOSSES)}")
        op = place.at("op").choice(LOSSES, "a loss")
        parameters = inspect.signature(LOSSES[op].function).parameters.values()
        known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        place.only(["op", "target", *known], f"the keys of {op}")
        if "target" not in place.value:
            place.wrong("target", "none", "add target = [...], or leave out [loss] and give a delta")
        options = {name: place.at(name).plain() for name in known if name in place.value}
        shape = self.shapes[self._names[-1]]
        target = self._target(op, place.at("target"), shape)
        try:
            Part(op, {"z": np.full(shape, 0.5)}, options, {"t": target}).value.item()
        except WhygradError as error:
            raise place.again(error) from None
        except (TypeError, ValueError) as error:
            place.wrong(f"options of {op} that it takes", str(error), "correct them")
        return Goal(op, target, options)

    @staticmethod
    def _target(op: str, place: Place, shape: Shape) -> Array:
        array = place.array()
        if np.isnan(array).any():
            place.wrong("all numbers of the target", "a blank", "leave out [loss] and give a delta")
        rows = (shape[0], *shape[2:])
        whole = (1,) * (len(rows) - array.ndim) + array.shape
        if op in ("cross_entropy", "hinge") and whole == rows and (array == np.floor(array)).all():
            return array.reshape(rows).astype(int)
        return lifted(place, array, shape, "the target")


def lifted(place: Place, array: Any, shape: Shape, what: str) -> Any:
    """Return an array with the leading axes of size 1 that people leave out, refusing another shape."""
    whole = (1,) * (len(shape) - array.ndim) + array.shape
    if whole != shape:
        remedy = 'write all cells, with "_" for blanks; only leading axes of size 1 can be left out'
        raise ShapeError(str(place), f"{what} of shape {shape}", f"{array.shape}", remedy)
    return array.reshape(shape)
