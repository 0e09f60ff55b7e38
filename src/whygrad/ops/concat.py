"""Concatenation: arrays laid side by side along one axis."""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from whygrad import engines
from whygrad.errors import ShapeError
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import axis_of, cotangent, floats


class Saved(NamedTuple):
    """What the backward pass of one call needs."""

    ends: tuple[int, ...]  #: where each array but the last ends along the axis
    axis: int
    y_shape: Shape
    dtype: np.dtype[Any]


def concat(*arrays: Array, axis: int = 1) -> tuple[Array, Pullback]:
    """Lay arrays side by side along one axis, the channels unless told otherwise.

    Args:
        arrays: at least one, float32 or float64, of one shape but for ``axis``.
        axis: where they are laid side by side.

    Returns:
        y and the pullback dy → (d of the first, d of the second, ...), a tuple also for one array.

    Raises:
        ShapeError: no array, or shapes that differ elsewhere.
        DTypeError: integers, or dtypes that differ.
        OptionError: an axis that the arrays do not have.

    Example:
        >>> y, pullback = concat(np.array([[1.]]), np.array([[2., 3.]]))
        >>> y
        array([[1., 2., 3.]])
        >>> pullback(np.array([[4., 5., 6.]]))
        (array([[4.]]), array([[5., 6.]]))

    Source: G. Huang et al., "Densely connected convolutional networks" (2016), equation 2.
    """
    checked = floats("concat", **{f"arrays[{i}]": array for i, array in enumerate(arrays)})
    if not checked:
        raise ShapeError("concat", "at least one array", "none", "pass the arrays one by one: concat(a, b)")
    axis = axis_of("concat", axis, checked[0].ndim)
    frames = [array.shape[:axis] + array.shape[axis + 1 :] for array in checked]
    for i, frame in enumerate(frames):
        if frame != frames[0] or checked[i].ndim != checked[0].ndim:
            expected = f"arrays[{i}] of shape {checked[0].shape} but for axis {axis}"
            raise ShapeError("concat", expected, f"{checked[i].shape}", "make the other axes agree")
    *ends, _ = accumulate(array.shape[axis] for array in checked)
    twin = engines.twin("concat")
    y = twin.forward(checked, axis) if twin else np.concatenate(checked, axis=axis)
    return y, partial(concat_backward, Saved(tuple(ends), axis, y.shape, y.dtype))


def concat_backward(saved: Saved, dy: Array) -> tuple[Array, ...]:
    """Cut dy where the arrays met, and give each its own part."""
    dy = cotangent("concat", dy, saved.y_shape, saved.dtype)
    twin = engines.twin("concat")
    if twin:
        return twin.backward(saved.ends, saved.axis, dy)
    return tuple(part.copy() for part in np.split(dy, saved.ends, axis=saved.axis))
