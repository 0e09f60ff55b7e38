"""What the compiled updates of the optimisers share: all parameters in one call, and new arrays to write to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from whygrad.kernels.compiler import DOUBLE, INT, Kernel, kernel, part, reads
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.many import PLACES, SIZES, nth, places_of
from whygrad.kernels.threads import share
from whygrad.typing import Array
from whygrad.workspace import empty


def update_all(
    function: Kernel, given: Sequence[Sequence[Array]], results: int, *options: float
) -> list[list[Array]]:
    """Return several results for each of many parameters: lists of new arrays of their shapes and dtypes.

    The kernel, made with ``over_all``, is called once for all parameters of one dtype. It finds in its ``PLACES``
    all arrays of the first list given, then those of the others, then those of the results.

    Args:
        function: the kernel.
        given: lists of arrays in C order, of which those at the same place are of one shape and dtype.
        results: how many lists to return.
        options: numbers that the kernel takes.
    """
    ws = given[0]
    shapes, kinds = [w.shape for w in ws], {w.dtype for w in ws}
    if len(kinds) > 1:
        return _by_kind(function, given, results, options)
    for dtype in kinds:
        sizes = [w.size for w in ws]
        makers = [np.empty if size < _SMALL else empty for size in sizes]
        made = [[make(shape, dtype) for make, shape in zip(makers, shapes, strict=True)] for _ in range(results)]
        kept, places = places_of([a for column in (*given, *made) for a in column])
        function[dtype](_LIKE[dtype], places, np.array(sizes, np.int64), *options, tasks_for(sum(sizes)))
        del kept
        return made
    return [[] for _ in range(results)]


def _by_kind(
    function: Kernel, given: Sequence[Sequence[Array]], results: int, options: tuple[float, ...]
) -> list[list[Array]]:
    """Do the parameters of each dtype by themselves, and put the results in order."""
    made: list[dict[int, Array]] = [{} for _ in range(results)]
    for kind in {w.dtype for w in given[0]}:
        chosen = [i for i, w in enumerate(given[0]) if w.dtype == kind]
        of_kind = update_all(function, [[column[i] for i in chosen] for column in given], results, *options)
        for all_, some in zip(made, of_kind, strict=True):
            all_.update(zip(chosen, some, strict=True))
    return [[all_[i] for i in range(len(given[0]))] for all_ in made]


def over_all(options: int) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a kernel (like, places, sizes, the options, tasks) of a function: see ``update_all``."""
    return kernel(reads(1), PLACES, SIZES, *[DOUBLE] * options, INT)


@part
def own(like, at, n):
    """Return a task's share of a parameter's array in list number n; ``at`` is (places, sizes, p, task, tasks)."""
    places, sizes, p, task, tasks = at
    return share(nth(like, places, n * sizes.size + p, sizes[p]), task, tasks)


_LIKE = {np.dtype(name): np.zeros(1, name) for name in ("float32", "float64")}
#: Numbers below which a workspace keeps no array, which need not be asked then.
_SMALL = 1 << 13
