"""What the twins of element-wise operations share: from arrays in any memory order to kernels over long vectors."""

from __future__ import annotations

from typing import Any

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import lying, tasks_for
from whygrad.kernels.threads import fork, share
from whygrad.typing import Array
from whygrad.workspace import empty


def unary(run: Any, x: Array, *options: float) -> Array:
    """Return what the kernel ``run(x, y, *options, tasks)`` writes to y, which lies in memory as x does."""
    given, dtype = lying(x), x.dtype
    y = empty(given.shape, dtype)
    run[dtype](given.ravel(), y.ravel(), *options, tasks_for(x.size))
    return y if given is x else y.transpose(0, 3, 1, 2)


def binary(run: Any, a: Array, b: Array, *options: float) -> Array:
    """Return what the kernel ``run(a, b, y, *options, tasks)`` writes to y, which lies in memory as a does."""
    given, dtype = lying(a), a.dtype
    other = b if given is a else b.transpose(0, 2, 3, 1)
    y = empty(given.shape, dtype)
    run[dtype](given.ravel(), other.ravel(), y.ravel(), *options, tasks_for(a.size))
    return y if given is a else y.transpose(0, 3, 1, 2)


def product(slope: Array, dy: Array) -> Array:
    """Return dy · slope."""
    return binary(_product, slope, dy)


@kernel(reads(1), reads(1), writes(1), INT)
def _product(slope, dy, dx, tasks):
    fork(_product_part, tasks, (slope, dy, dx, tasks))


@part
def _product_part(task, slope, dy, dx, tasks):
    slope, dy, dx = share(slope, task, tasks), share(dy, task, tasks), share(dx, task, tasks)
    for i in range(dx.size):
        dx[i] = dy[i] * slope[i]
