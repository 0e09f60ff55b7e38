"""What the compiled updates of the optimisers share: arrays as vectors, and new arrays to write to."""

from __future__ import annotations

from whygrad.kernels.compiler import Kernel
from whygrad.kernels.layout import tasks_for
from whygrad.typing import Array
from whygrad.workspace import empty


def update(function: Kernel, w: Array, arrays: tuple[Array, ...], results: int, *options: float) -> list[Array]:
    """Call a kernel with w and other arrays of its shape, and return its results, new arrays of that shape.

    The kernel takes the arrays, the results, the options and the number of tasks.
    """
    made = [empty(w.shape, w.dtype) for _ in range(results)]
    vectors = [array.ravel() for array in (w, *arrays, *made)]
    function[w.dtype](*vectors, *options, tasks_for(w.size))
    return made
