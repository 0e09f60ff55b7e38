"""From a layer to the call of its operation: what went in, under which names, with which options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from whygrad.layers import Layer
from whygrad.ops.batch_norm2d import BatchNorm
from whygrad.ops.registry import OPERATIONS
from whygrad.typing import Array, Pullback


class Signature(NamedTuple):
    """What an operation is called with."""

    inputs: tuple[str, ...]  #: its arrays, the layer's inputs first and its parameters after them
    several: bool  #: whether it takes any number of inputs
    options: tuple[str, ...]


class OperationCall(NamedTuple):
    """An operation as a layer calls it."""

    op: str
    function: Callable[..., tuple[Any, Pullback]]
    arrays: dict[str, Array]
    options: dict[str, Any]

    def run(self) -> tuple[Array, Pullback]:
        """Call the operation."""
        value, pullback = self.function(*self.arrays.values(), **self.options)
        return (value.y if isinstance(value, BatchNorm) else value), pullback


def signature(op: str) -> Signature:
    """Return the names of what an operation is called with.

    Example:
        >>> signature("conv2d").inputs
        ('x', 'w', 'b')
    """
    parameters = inspect.signature(OPERATIONS[op].function).parameters.values()
    positional = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return Signature(positional, several, tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY))


def operation_of(layer: Layer) -> str | None:
    """Return the name of a layer's operation; None for a layer that is not one of whygrad's own.

    Example:
        >>> from whygrad.layers import MaxPool2d
        >>> operation_of(MaxPool2d(2))
        'max_pool2d'
    """
    package, _, module = type(layer).__module__.rpartition(".")
    return module if package == "whygrad.layers" and module in OPERATIONS else None


def call_of(
    layer: Layer,
    own: Mapping[str, Array],
    inputs: Sequence[Array],
    *,
    training: bool,
    rng: np.random.Generator | None,
) -> OperationCall | None:
    """Return the call that a layer makes with its parameters and inputs; None if its operation is not known."""
    op = operation_of(layer)
    if op is None:
        return None
    names = signature(op)
    arrays: dict[str, Array] = {}
    if names.several:
        arrays = {f"x{i}": x for i, x in enumerate(inputs)}
    else:
        arrays = dict(zip(names.inputs, (*inputs, *own.values()), strict=False))
    given = {"training": training, "rng": rng}
    options = {name: given[name] if name in given else getattr(layer, name) for name in names.options}
    return OperationCall(op, OPERATIONS[op].function, arrays, options)
