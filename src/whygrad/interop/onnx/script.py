"""An ONNX graph while it is written: nodes, initializers, and the values between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from whygrad.interop.onnx.package import onnx
from whygrad.typing import Params, Shape


class Written(NamedTuple):
    """A value of the ONNX graph."""

    name: str
    shape: Shape  #: of one sample


class Script:
    """Collects the nodes of an ONNX graph.

    Args:
        params: the parameters of the network by name.
        dtype: of all its numbers.
    """

    def __init__(self, params: Params, dtype: np.dtype[Any]) -> None:
        self.params, self.dtype = params, dtype
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self._taken: set[str] = set()
        self._layer = ""

    def begin(self, name: str) -> None:
        """Say for which layer the nodes to come are written."""
        self._layer = name or "layer"

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Write a node named after the layer and return the name of its value."""
        return self.several(op, 1, *inputs, **attributes)[0]

    def several(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Write a node with several values."""
        name = self.free(self._layer if op != "Constant" else f"{self._layer}.constant")
        outputs = [name, *(self.free(f"{name}.{i}") for i in range(1, count))]
        self.nodes.append(onnx().helper.make_node(op, list(inputs), outputs, name=name, **attributes))
        return outputs

    def parameter(self, name: str) -> str:
        """Return the name of the initializer that a parameter of the network is."""
        if name not in self.initializers:
            self._taken.add(name)
            self.initializers[name] = self._tensor(name, np.asarray(self.params[name], self.dtype))
        return name

    def constant(self, name: str, array: npt.NDArray[Any]) -> str:
        """Return the name of a new initializer, in the type of the array."""
        return self._new(name, array)

    def integers(self, name: str, values: Any) -> str:
        """Return the name of a new initializer of whole numbers."""
        return self._new(name, np.asarray(values, np.int64))

    def number(self, name: str, value: float) -> str:
        """Return the name of a new initializer that is one number."""
        return self._new(name, np.asarray(value, self.dtype))

    def free(self, wanted: str) -> str:
        """Return a name that nothing has yet, and take it."""
        name, again = wanted, 2
        while name in self._taken or name in self.params:
            name, again = f"{wanted}_{again}", again + 1
        self._taken.add(name)
        return name

    def _new(self, name: str, array: npt.NDArray[Any]) -> str:
        name = self.free(f"{self._layer}.{name}")
        self.initializers[name] = self._tensor(name, array)
        return name

    @staticmethod
    def _tensor(name: str, array: npt.NDArray[Any]) -> Any:
        return onnx().numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
