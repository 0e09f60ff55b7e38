"""What the compiled updates of the optimisers share: arrays as vectors, and new arrays to write to."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from whygrad.kernels.compiler import Kernel
from whygrad.kernels.layout import tasks_for
from whygrad.typing import Array
from whygrad.workspace import empty


def update(function: Kernel, w: Array, arrays: tuple[Array, ...], results: int, *options: float) -> list[Array]:
    """Call a kernel with w and other arrays of its shape, and return its results, new arrays of that shape.

    The kernel takes the arrays, the results, the options and the number of tasks.
    """
    return update_all(function, [(w, *arrays)], results, *options)[0]


def update_all(
    function: Kernel, given: Iterable[tuple[Array, ...]], results: int, *options: float
) -> list[list[Array]]:
    """Do as ``update`` does for each tuple of arrays of one shape."""
    made, row, several = [], np.ndarray.ravel, range(results)
    for arrays in given:
        w = arrays[0]
        shape, dtype, size = w.shape, w.dtype, w.size
        make = np.empty if size < _SMALL else empty
        new = [make(shape, dtype) for _ in several]
        function[dtype](*map(row, arrays), *map(row, new), *options, tasks_for(size))
        made.append(new)
    return made


#: Numbers below which a workspace keeps no array, which need not be asked then.
_SMALL = 1 << 10
