"""Memory that one training step hands on to the next.

Fresh memory is slow: the system gives it page by page, zeroed. A training step needs the same arrays as the step
before it, so ``fit`` runs its steps within a ``Workspace``, which keeps their memory and gives it out again.
Memory is given out only when no array lies in it any more, so whatever somebody still holds is never overwritten.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from contextvars import ContextVar, Token
from math import prod
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.typing import Array, Shape

_ALIGNMENT = 64  #: bytes of a cache line, where arrays begin
_SMALL = 1 << 16  #: bytes below which memory comes from the process's heap, which is quick
_MOST = 2.1  #: how many times as large as needed a piece may be that is given out

_held = [bytearray(1)]
_UNUSED = sys.getrefcount(_held[0])  #: references to what is held by a list and by this very call

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
        self._pieces: list[npt.NDArray[np.uint8]] = []  # smallest first
        self._tokens: list[Token[Workspace | None]] = []

    @property
    def nbytes(self) -> int:
        """Bytes that the workspace holds, in use or not."""
        return sum(piece.nbytes for piece in self._pieces)

    def __enter__(self) -> Workspace:
        self._tokens.append(_active.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.reset(self._tokens.pop())

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Return an array of undefined content, in memory that nobody uses."""
        size = prod(shape) * dtype.itemsize + _ALIGNMENT
        piece = self._free_piece(size)
        if piece is None:
            piece = np.empty(size, np.uint8)
            insort(self._pieces, piece, key=len)
        return np.ndarray(shape, dtype, piece, -piece.ctypes.data % _ALIGNMENT)

    def _free_piece(self, size: int) -> npt.NDArray[np.uint8] | None:
        """Return the smallest piece of at least this size in which no array lies, unless it is much too large."""
        for i in range(bisect_left(self._pieces, size, key=len), len(self._pieces)):
            if len(self._pieces[i]) > _MOST * size:
                return None
            if sys.getrefcount(self._pieces[i]) == _UNUSED:
                return self._pieces[i]
        return None


def empty(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array of undefined content, from the active workspace if there is one."""
    workspace = _active.get()
    if workspace is None or prod(shape) * dtype.itemsize < _SMALL:
        return np.empty(shape, dtype)
    return workspace.empty(shape, dtype)
