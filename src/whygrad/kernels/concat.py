"""Compiled twin of ``concat``."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import Order, new, tasks_for, vector
from whygrad.kernels.threads import fork
from whygrad.typing import Array, Shape


def forward(arrays: Sequence[Array], axis: int) -> Array:
    """Return the arrays side by side along an axis."""
    order: Order = "rows"
    if arrays[0].ndim == 4 and not all(array.flags.c_contiguous for array in arrays):
        order = "channels last"
    shape = list(arrays[0].shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    y = new(tuple(shape), arrays[0].dtype, order)
    target, (lines, length), at = vector(y, order), _lines(y.shape, axis, order), 0
    for array in arrays:
        width = _lines(array.shape, axis, order)[1]
        _join[y.dtype](vector(array, order), target, lines, width, length, at, tasks_for(array.size))
        at += width
    return y


def backward(ends: tuple[int, ...], axis: int, dy: Array) -> tuple[Array, ...]:
    """Return each array's part of dy."""
    order: Order = "rows" if dy.ndim != 4 or dy.flags.c_contiguous else "channels last"
    source, (lines, length), at = vector(dy, order), _lines(dy.shape, axis, order), 0
    parts = []
    for start, end in zip((0, *ends), (*ends, dy.shape[axis]), strict=True):
        dx = new((*dy.shape[:axis], end - start, *dy.shape[axis + 1 :]), dy.dtype, order)
        width = _lines(dx.shape, axis, order)[1]
        _cut[dy.dtype](source, vector(dx, order), lines, width, length, at, tasks_for(dx.size))
        parts.append(dx)
        at += width
    return tuple(parts)


def _lines(shape: Shape, axis: int, order: Order) -> tuple[int, int]:
    """Return how many pieces an array lies in when it is cut before ``axis``, and how long they are."""
    if order == "channels last":
        shape, axis = (shape[0], shape[2], shape[3], shape[1]), (0, 3, 1, 2)[axis]
    return prod(shape[:axis]), prod(shape[axis:])


@kernel(reads(1), writes(1), INT, INT, INT, INT, INT)
def _join(x, y, lines, width, length, at, tasks):
    fork(_copy_part, tasks, (x, width, 0, y, length, at, lines, width, tasks))


@kernel(reads(1), writes(1), INT, INT, INT, INT, INT)
def _cut(dy, dx, lines, width, length, at, tasks):
    fork(_copy_part, tasks, (dy, length, at, dx, width, 0, lines, width, tasks))


@part
def _copy_part(task, source, source_length, source_at, target, target_length, target_at, lines, width, tasks):
    for line in range(lines * task // tasks, lines * (task + 1) // tasks):
        start, end = line * source_length + source_at, line * target_length + target_at
        seen, copy = source[start : start + width], target[end : end + width]
        for k in range(copy.size):
            copy[k] = seen[k]
