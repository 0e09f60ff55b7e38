"""Memory order: images lie channels-last, and element-wise kernels see any array as one long vector.

Arrays have the shape (N, C, H, W) everywhere; in memory the channels of a pixel lie side by side, which NumPy
expresses in the strides. Nothing is copied from one operation to the next.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from whygrad.kernels.threads import SMALL_PASS
from whygrad.threads import get_num_threads
from whygrad.typing import Array, Shape
from whygrad.workspace import empty

Order = Literal["rows", "channels last"]


def tasks_for(count: int) -> int:
    """Return how many tasks an element-wise pass over ``count`` numbers is worth."""
    return 1 if count < SMALL_PASS else get_num_threads()


def order_of(x: Array) -> Order:
    """Return the order in which x lies in one piece, or the one to copy it to."""
    return "rows" if x.ndim != 4 or x.flags.c_contiguous else "channels last"


def lying(x: Array) -> Array:
    """Return a view of x with its axes in the order of memory, (N, H, W, C) unless x lies in one piece as it is."""
    return x if x.ndim != 4 or x.flags.c_contiguous else x.transpose(0, 2, 3, 1)


def vector(x: Array, order: Order) -> Array:
    """Return all numbers of x in this order as one axis, copied only where x lies otherwise."""
    if order == "channels last":
        x = x.transpose(0, 2, 3, 1)
    return x.ravel()


def pixels(x: Array) -> Array:
    """Return images x (N, C, H, W) as (N·H·W, C), copied only where they do not lie channels-last."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(-1, x.shape[1])


def new(shape: Shape, dtype: np.dtype[Any], order: Order = "rows") -> Array:
    """Return an array of undefined content in this order."""
    if order == "rows":
        return empty(shape, dtype)
    n, c, h, w = shape
    return empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def new_images(n: int, c: int, h: int, w: int, dtype: np.dtype[Any]) -> Array:
    """Return channels-last images of undefined content."""
    return empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)
