"""The network that an ONNX graph becomes: layers by name, their parameters, and the values that they make."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.errors import WhygradError
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import BATCH, Known, Traced, UnsupportedError, Value
from whygrad.layers import Add, Layer, Node, Reshape, Take2d, Transpose
from whygrad.typing import Array, Shape

#: Entries of one sample's value, at most.
MOST_ENTRIES = 2**28
#: Places along one axis, of what is taken place by place.
MOST_PLACES = 2**20
_SUFFIXES = (".weight", ".weight_v", ".kernel", ".gamma", "/weight", "/kernel", "/gamma", "_weight", "_w")


class Builder:
    """Collects the layers while the nodes of an ONNX graph are gone through.

    Args:
        batched: whether the first axis of every value is the batch axis.
        batch: the size that the file gives the batch axis, None if it leaves it open.
        uses: how many nodes and outputs read each of ONNX's values.
    """

    def __init__(self, *, batched: bool, batch: int | None, uses: Counter[str]) -> None:
        self.batched, self.batch, self.uses = batched, batch, uses
        self.nodes: dict[str, Node] = {}
        self.parameters: dict[str, Array] = {}
        self.values: dict[str, Value] = {}
        self.read_by: dict[str, str] = {}  #: by node of the network, the one of ONNX's values that it makes
        self.reserved: set[str] = set()  #: names of inputs
        self._shared: dict[tuple[Any, ...], str] = {}
        self._scopes: set[str] = set()
        self._at: OnnxNode | None = None

    def begin(self, node: OnnxNode) -> None:
        """Say which of ONNX's nodes the layers to come are made for."""
        self._at = node

    def value(self, name: str) -> Value:
        """Return what stands for a value of ONNX's; None for an input that is left out."""
        return self.values[name] if name else None

    def layer(
        self,
        layer: Layer,
        *inputs: Traced,
        parameters: Mapping[str, Array] | None = None,
        names: Iterable[str] = (),
    ) -> Traced:
        """Add a layer.

        Args:
            layer: the layer.
            inputs: the values that it reads.
            parameters: its parameters by its own names.
            names: those of the initializers that they come from; two layers with the same ones share them.

        Raises:
            UnsupportedError: shapes that do not fit.
        """
        own, names = dict(parameters or {}), tuple(names)
        try:
            shape = layer.output_shape(*(value.shape for value in inputs))
        except WhygradError as error:
            raise UnsupportedError(str(error)) from None
        if prod(shape) > MOST_ENTRIES:
            raise UnsupportedError(f"its value of shape {shape} has more than {MOST_ENTRIES} entries a sample")
        scope = self._scope(layer, own, names)
        name = self._free(scope.replace(".", "_"))
        self.nodes[name] = Node(layer, tuple(value.source for value in inputs), scope if own else None)
        self.parameters.update({f"{scope}.{short}": array for short, array in own.items()})
        return Traced(name, shape, inputs[0].dtype)

    def replace(self, value: Traced, layer: Layer, added: Mapping[str, Array]) -> Traced:
        """Put another layer in a node's place, with parameters added to those that it has."""
        old = self.nodes[value.source]
        self.nodes[value.source] = old._replace(layer=layer)
        self.parameters.update({f"{old.parameters}.{short}": array for short, array in added.items()})
        return value

    def layer_of(self, value: Traced) -> Layer | None:
        """Return the layer that makes a value; None for an input of the network."""
        node = self.nodes.get(value.source)
        return None if node is None else node.layer

    def used_once(self, value: Traced, name: str) -> bool:
        """Return whether ONNX's value ``name``, made by the node of ``value``, is read once, by no other node."""
        readers = sum(node.inputs.count(value.source) for node in self.nodes.values())
        return self.uses[name] == 1 and not readers

    def _scope(self, layer: Layer, own: Mapping[str, Array], names: tuple[str, ...]) -> str:
        """Return the prefix of a layer's parameters: that of their names in the file, or the name of the node."""
        assert self._at is not None
        key = (repr(layer), names, tuple(array.shape for array in own.values()))
        if own and names and key in self._shared:
            return self._shared[key]
        wanted = scope_of(self._at.name, self._at.op) or self._at.op.rpartition(".")[2].lower()
        for suffix in _SUFFIXES:
            if names and names[0].endswith(suffix) and len(names[0]) > len(suffix):
                wanted = _cleaned(names[0].removesuffix(suffix))
                break
        scope, again = wanted, 2
        while scope in self._scopes:
            scope, again = f"{wanted}_{again}", again + 1
        self._scopes.add(scope)
        if own and names:
            self._shared[key] = scope
        return scope

    def _free(self, wanted: str) -> str:
        name, again = wanted, 2
        while name in self.nodes or name in self.reserved:
            name, again = f"{wanted}_{again}", again + 1
        return name

    # What several mappers need

    def sizes(self, value: Traced) -> list[Any]:
        """Return the sizes of a value as ONNX sees them, ``BATCH`` among them."""
        return [BATCH, *value.shape] if self.batched else list(value.shape)

    def axis(self, axis: int, rank: int) -> int:
        """Return the axis within a sample that ONNX's axis is.

        Args:
            axis: ONNX's, negative ones counted from the end.
            rank: number of axes as ONNX sees them.

        Raises:
            UnsupportedError: there is no such axis, or it is the batch axis.
        """
        if not -rank <= axis < rank:
            raise UnsupportedError(f"it names axis {axis} of a value with {rank} axes")
        own = axis % rank - (1 if self.batched else 0)
        if own < 0:
            raise UnsupportedError("it works along the batch axis, whose samples know nothing of each other here")
        return own

    def rank(self, value: Traced) -> int:
        """Return the number of axes as ONNX sees them."""
        return len(value.shape) + (1 if self.batched else 0)

    def reshape(self, value: Traced, shape: Shape) -> Traced:
        """Return a value in another shape; itself if it has it."""
        return value if value.shape == shape else self.layer(Reshape(shape), value)

    def transpose(self, value: Traced, order: tuple[int, ...]) -> Traced:
        """Return a value with the axes of a sample in another order, two such steps made one."""
        axes = (0, *(axis + 1 for axis in order))
        before = self.nodes.get(value.source)
        if before is not None and type(before.layer) is Transpose:
            axes = tuple(before.layer.axes[axis] for axis in axes)
            source = before.inputs[0]
            value = Traced(
                source, tuple(value.shape[i] for i in np.argsort(before.layer.axes)[1:] - 1), value.dtype
            )
        return value if axes == tuple(range(len(axes))) else self.layer(Transpose(axes), value)

    def take(self, value: Traced, axis: int, places: tuple[int, ...]) -> Traced:
        """Return a value that shows these places along one axis of a sample."""
        if places == tuple(range(value.shape[axis])):
            return value
        if not places or 0 in value.shape:
            raise UnsupportedError("nothing would be left of it")
        before, after = prod(value.shape[:axis]), prod(value.shape[axis + 1 :])
        if len(value.shape) == 3 and axis:
            check_places(value.shape[3 - axis])
            every = tuple(range(value.shape[3 - axis]))
            return self.layer(Take2d(places, every) if axis == 1 else Take2d(every, places), value)
        check_places(after)
        image = self.reshape(value, (before, value.shape[axis], after))
        taken = self.layer(Take2d(places, tuple(range(after))), image)
        return self.reshape(taken, (*value.shape[:axis], len(places), *value.shape[axis + 1 :]))

    def stretch(self, value: Traced, shape: Shape) -> Traced:
        """Return a value in a larger shape, repeated along new axes and those of size 1."""
        if len(value.shape) > len(shape):
            raise UnsupportedError(f"samples of {value.shape} cannot become {shape}")
        value = self.reshape(value, (*(1,) * (len(shape) - len(value.shape)), *value.shape))
        for axis, (size, wanted) in enumerate(zip(value.shape, shape, strict=True)):
            if size != wanted:
                check_places(wanted)
                if size != 1:
                    raise UnsupportedError(f"samples of {value.shape} cannot become {shape}")
                value = self.take(value, axis, (0,) * wanted)
        return value

    def add(self, a: Traced, b: Traced) -> Traced:
        """Return a sum."""
        return self.layer(Add(), a, b)


def check_places(size: int) -> None:
    """Refuse an axis that is too long to be taken place by place."""
    if size > MOST_PLACES:
        raise UnsupportedError(f"it takes places along an axis of size {size}, more than {MOST_PLACES}")


def known(value: Value, what: str) -> npt.NDArray[Any]:
    """Return numbers that have to be known, refusing what is computed by the network."""
    if isinstance(value, Known):
        return value.array
    raise UnsupportedError(f"its {what} is computed by the network, and has to be a constant")


def optional(value: Value, what: str) -> npt.NDArray[Any] | None:
    """Return numbers that may be left out."""
    return None if value is None else known(value, what)


def parameter(value: Value, what: str, dtype: np.dtype[Any]) -> tuple[Array, str]:
    """Return a parameter in the dtype of the network, and the name of its initializer."""
    array = known(value, what)
    if not np.issubdtype(array.dtype, np.floating):
        raise UnsupportedError(f"its {what} has entries of {array.dtype}")
    return np.array(array, dtype), value.name if isinstance(value, Known) else ""


def scalar(value: Value, what: str, default: float) -> float:
    """Return one number, as it was meant before it was rounded."""
    array = optional(value, what)
    if array is None or not array.size:
        return default
    if array.size != 1:
        raise UnsupportedError(f"its {what} has {array.size} entries")
    return float(str(array.ravel()[0]))


def whole_numbers(array: npt.NDArray[Any], what: str) -> list[int]:
    """Return whole numbers of a shape, refusing the size of the batch among them."""
    if array.size > 4096:
        raise UnsupportedError(f"its {what} has {array.size} entries")
    found = []
    for entry in array.ravel().tolist():
        if not isinstance(entry, int):
            raise UnsupportedError(f"its {what} has {entry} for a whole number")
        found.append(entry)
    return found


def traced(value: Value, what: str = "input") -> Traced:
    """Return a value that is computed by the network, refusing a constant."""
    if not isinstance(value, Traced):
        raise UnsupportedError(f"its {what} is a constant")
    return value


def _cleaned(name: str) -> str:
    """Return a name that can stand before a dot.

    Example:
        >>> _cleaned("/stage 1/Relu")
        'stage_1/Relu'
    """
    name = re.sub(r"[^\w./:-]", "_", name).strip("./")
    return re.sub(r"\.{2,}", ".", name)[:200]


def scope_of(name: str, op: str) -> str:
    """Return the name of a node without what exporters put around it.

    Example:
        >>> scope_of("/layer1/layer1.0/conv1/Conv", "Conv"), scope_of("node_relu", "Relu")
        ('layer1.0.conv1', 'relu')
    """
    *path, last = _cleaned(name).split("/")
    if not path or last.partition("_")[0] != op:
        return _cleaned(name.removeprefix("node_"))
    found: list[str] = []
    for part in path:  # PyTorch repeats what stands before: features, features.1, features.1.conv
        if found and part.startswith(f"{found[-1]}."):
            found.pop()
        found.append(part)
    return ".".join(found)
