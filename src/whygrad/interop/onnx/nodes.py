"""A node of an ONNX graph as the mappers read it: its attributes by name and type, and its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.interop.onnx.package import onnx
from whygrad.interop.onnx.values import UnsupportedError

#: Types of attributes, as ONNX numbers them: one number, one text, a tensor, numbers.
FLOAT, INT, STRING, TENSOR, FLOATS, INTS = 1, 2, 3, 4, 6, 7
_MOST = 4096  #: characters of a text, entries of a list


@dataclass(frozen=True)
class OnnxNode:
    """One node.

    Args:
        op: the name of its operation.
        name: its own, often empty.
        place: its number in the file, from 0.
        inputs: names of its inputs; empty for one that is left out.
        outputs: names of its outputs.
        attributes: ONNX's messages by name.
        opset: the version of ONNX's operations that the model uses.
        tensor: its attribute ``value``, where that is a tensor.
    """

    op: str
    name: str
    place: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int
    tensor: npt.NDArray[Any] | None = None

    @property
    def where(self) -> str:
        """The node's place in words: "node 12 'conv1' (Conv)"."""
        name = f" {self.name[:80]!r}" if self.name else ""
        return f"node {self.place}{name} ({self.op})"

    def _get(self, name: str, kind: int) -> Any:
        attribute = self.attributes.get(name)
        if attribute is not None and attribute.type not in (kind, 0):
            raise UnsupportedError(f"its attribute {name} is of another type than ONNX says")
        return attribute

    def integer(self, name: str, default: int) -> int:
        """Return a whole number."""
        attribute = self._get(name, INT)
        return default if attribute is None else int(attribute.i)

    def number(self, name: str, default: float) -> float:
        """Return a number, as it was meant before it was rounded to float32: 1e-05, not 9.999999747378752e-06."""
        attribute = self._get(name, FLOAT)
        return default if attribute is None else shortest(attribute.f)

    def text(self, name: str, default: str) -> str:
        """Return a word."""
        attribute = self._get(name, STRING)
        return default if attribute is None else attribute.s[:_MOST].decode("utf-8", "replace")

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return whole numbers, None where there are none."""
        attribute = self._get(name, INTS)
        if attribute is not None and len(attribute.ints) > _MOST:
            raise UnsupportedError(f"its attribute {name} has {len(attribute.ints)} entries")
        return None if attribute is None else tuple(int(i) for i in attribute.ints)

    def refuse(self, *names: str) -> None:
        """Refuse a node that has one of these attributes."""
        for name in names:
            if name in self.attributes:
                raise UnsupportedError(f"its attribute {name} has no counterpart here")


def shortest(value: float) -> float:
    """Return the decimal number that a float32 was rounded from.

    Example:
        >>> shortest(9.999999747378752e-06)
        1e-05
    """
    return float(str(np.float32(value)))


def read_node(message: Any, place: int, opset: int) -> OnnxNode:
    """Return a node from ONNX's message."""
    attributes = {attribute.name: attribute for attribute in message.attribute}
    op = message.op_type if message.domain in ("", "ai.onnx") else f"{message.domain}.{message.op_type}"
    return OnnxNode(op, message.name, place, tuple(message.input), tuple(message.output), attributes, opset)


def data_type(name: str) -> int:
    """Return the number that ONNX has for a type of entries."""
    return int(onnx().TensorProto.DataType.Value(name))
