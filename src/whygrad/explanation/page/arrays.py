"""The arrays of a page: one run of bytes, little-endian, and where each array lies in it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Literal

import numpy as np

from whygrad.typing import Array, IntArray

Precision = Literal["float64", "float32"]
_TYPES = {"float64": "<f8", "float32": "<f4", "int32": "<i4"}
_ALIGNED = 8


class Bytes:
    """Collects arrays and says where they went.

    Example:
        >>> kept = Bytes("float64")
        >>> kept.add(np.array([[1.0, 2.0]]))
        {'at': 0, 'shape': [1, 2], 'type': 'float64'}
        >>> kept.add(np.array([3, 4, 5], np.int32))["at"], len(kept.base64())
        (16, 44)
    """

    def __init__(self, precision: Precision) -> None:
        self.precision: Precision = precision
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, array: Array | IntArray, *, exact: bool = False) -> dict[str, Any]:
        """Keep an array, and return where it lies; ``exact`` keeps float64 whatever the page's precision."""
        kind = "int32" if array.dtype.kind in "iub" else "float64" if exact else self.precision
        content = np.ascontiguousarray(array).astype(_TYPES[kind]).tobytes()
        content += bytes(-len(content) % _ALIGNED)
        at, self._size = self._size, self._size + len(content)
        self._parts.append(content)
        return {"at": at, "shape": list(array.shape), "type": kind}

    def base64(self) -> str:
        """Return all of them in base64."""
        return b64encode(b"".join(self._parts)).decode("ascii")


def room(numbers: int, precision: Precision) -> int:
    """Return how many characters so many numbers take in base64.

    Example:
        >>> room(3, "float64")
        32
    """
    return -(-numbers * (8 if precision == "float64" else 4) // 3) * 4
