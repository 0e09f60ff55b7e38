"""Memory that one training step hands on to the next.

Fresh memory is slow: the system gives it page by page, zeroed. A training step needs the same arrays as the step
before it, so ``fit`` runs its steps within a ``Workspace``, which keeps their memory and gives it out again.
Memory is given out only when no array lies in it any more, so whatever somebody still holds is never overwritten.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar, Token
from math import prod
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.typing import Array, Shape

_ALIGNMENT = 64
_SMALL = 1 << 16  # below, memory comes from the process's heap, which is quick

_active: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


class Workspace:
    """Keeps the memory of arrays for reuse while it is active: ``with workspace: ...``.

    Example:
        >>> with Workspace() as workspace:
        ...     a = empty((1000, 1000), np.dtype(np.float32))
        ...     del a
        ...     b = empty((1000, 1000), np.dtype(np.float32))  # where a was
        >>> workspace.nbytes < 5_000_000
        True
    """

    def __init__(self) -> None:
        self._pieces: dict[int, list[npt.NDArray[np.uint8]]] = {}
        self._tokens: list[Token[Workspace | None]] = []

    @property
    def nbytes(self) -> int:
        """Bytes that the workspace holds, in use or not."""
        return sum(piece.nbytes for pieces in self._pieces.values() for piece in pieces)

    def __enter__(self) -> Workspace:
        self._tokens.append(_active.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.reset(self._tokens.pop())

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Return an array of undefined content, in memory that nobody uses."""
        size = _round_up(prod(shape) * dtype.itemsize)
        pieces = self._pieces.setdefault(size, [])
        for piece in pieces:
            if sys.getrefcount(piece) == 3:  # held by the list, by this loop and by the call: no array lies in it
                break
        else:
            piece = np.empty(size + _ALIGNMENT, np.uint8)
            pieces.append(piece)
        return np.ndarray(shape, dtype, piece, -piece.ctypes.data % _ALIGNMENT)


def _round_up(size: int) -> int:
    """Return the least size of four bits and zeros that holds ``size``: nearly equal sizes share their memory."""
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step


def empty(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array of undefined content, from the active workspace if there is one."""
    workspace = _active.get()
    if workspace is None or prod(shape) * dtype.itemsize < _SMALL:
        return np.empty(shape, dtype)
    return workspace.empty(shape, dtype)
