"""Rows: the numbers along one axis side by side in memory, for what normalises or sums along it."""

from __future__ import annotations

import numpy as np
from numba import types

from whygrad.kernels.compiler import part
from whygrad.kernels.mathematics import maximum
from whygrad.typing import Array, IntArray

_INT64 = np.dtype(np.int64)
INDICES = types.Array(types.int64, 1, "C", readonly=True)  #: one class a row


def along_last(x: Array, axis: int) -> Array:
    """Return x in one piece with one axis moved to the end, copied only where it does not lie so."""
    if axis != x.ndim - 1:
        x = x.transpose(*range(axis), *range(axis + 1, x.ndim), axis)
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def back(y: Array, axis: int) -> Array:
    """Return y with its last axis moved to where it was."""
    last = y.ndim - 1
    return y if axis == last else y.transpose(*range(axis), last, *range(axis, last))


def indices(index: IntArray) -> IntArray:
    """Return class indices of any integer dtype as ``INDICES``."""
    return np.ascontiguousarray(index, _INT64).ravel()


@part
def row(x, r, size):
    """Return row r of rows of this size."""
    return x[r * size : (r + 1) * size]


@part
def largest(x):
    """Return the largest number of a row, NaN if one is NaN."""
    top = x[0]
    for i in range(x.size):
        top = maximum(top, x[i])
    return top
