"""What stands for a value of an ONNX graph while it is read: a node of the network, or numbers that are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from whygrad.typing import Shape


class Batch:
    """The size of the batch axis, which no file decides: it may be moved about in shapes, and nothing else."""

    def __repr__(self) -> str:
        return "N"


#: The one size of the batch axis.
BATCH = Batch()


class Traced(NamedTuple):
    """A value that is computed when the network is called."""

    source: str  #: the node of the ``Graph``, or its input
    shape: Shape  #: of one sample
    dtype: np.dtype[Any]


@dataclass(frozen=True, eq=False)
class Known:
    """Numbers that follow from the file: an initializer, a constant, or what was computed from them.

    Args:
        array: the numbers; in shapes, which are arrays of objects, ``BATCH`` may stand.
        name: the initializer that they are, however rearranged; empty for constants and results of arithmetic.
    """

    array: npt.NDArray[Any]
    name: str = field(default="")


class Lost:
    """A value that could not be made, since a node before it is not supported."""


LOST = Lost()
#: What is known of a value; None for an input that a node leaves out.
Value: TypeAlias = Traced | Known | Lost | None


class UnsupportedError(Exception):
    """A node that has no counterpart here; the text says why."""
