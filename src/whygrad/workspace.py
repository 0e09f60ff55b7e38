"""Memory that one training step hands on to the next.

Fresh memory is slow: the system gives it page by page, zeroed. A training step needs the same arrays as the step
before it, so ``fit`` runs its steps within a ``Workspace``, which keeps their memory and gives it out again.
Memory is given out only when no array lies in it any more, so whatever somebody still holds is never overwritten.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
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
        self._sizes: list[int] = []  # of the pieces, in bytes
        self._starts: list[int] = []  # where in each of them the first cache line begins
        self._tokens: list[Token[Workspace | None]] = []

    @property
    def nbytes(self) -> int:
        """Bytes that the workspace holds, in use or not."""
        return sum(self._sizes)

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
        at = self._free_piece(size)
        return np.ndarray(shape, dtype, self._pieces[at], self._starts[at])

    def _free_piece(self, size: int) -> int:
        """Return the place of the smallest piece of at least this size in which no array lies.

        If there is none, or only one that is much too large, it is a new piece of just this size.
        """
        for i in range(bisect_left(self._sizes, size), len(self._sizes)):
            if self._sizes[i] > _MOST * size:
                break
            if sys.getrefcount(self._pieces[i]) == _UNUSED:
                return i
        piece, after = np.empty(size, np.uint8), bisect_right(self._sizes, size)
        self._pieces.insert(after, piece)
        self._sizes.insert(after, size)
        self._starts.insert(after, -piece.ctypes.data % _ALIGNMENT)
        return after


def empty(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array of undefined content, from the active workspace if there is one."""
    workspace = _active.get()
    if workspace is None or prod(shape, start=dtype.itemsize) < _SMALL:
        return np.empty(shape, dtype)
    return workspace.empty(shape, dtype)
