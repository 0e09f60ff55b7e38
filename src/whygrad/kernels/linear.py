"""Compiled twin of ``linear``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels.compiler import INT, kernel, part, reads, writes
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.mathematics import dot
from whygrad.kernels.matrix import multiply
from whygrad.kernels.threads import fork
from whygrad.typing import Array
from whygrad.workspace import empty

#: Samples for which products of vectors beat tiles: laying w out would be most of the work.
FEW = 4


def forward(x: Array, w: Array, b: Array | None) -> Array:
    """Return x wᵀ + b."""
    y = empty((x.shape[0], w.shape[0]), x.dtype)
    bias = _ONE[x.dtype] if b is None else np.ascontiguousarray(b)
    if len(x) <= FEW:
        x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
        _forward_few[x.dtype](x, w, bias, y, b is not None, tasks_for(w.size))
    elif x.shape[1]:
        multiply[x.dtype](x, w.T, bias, y, b is not None)
    else:
        y[...] = 0 if b is None else b
    return y


def input_gradient(dy: Array, w: Array) -> Array:
    """Return dy w."""
    dx = empty((dy.shape[0], w.shape[1]), dy.dtype)
    if len(dy) <= FEW:
        dy, w = np.ascontiguousarray(dy), np.ascontiguousarray(w)
        _input_gradient_few[dy.dtype](dy, w, dx, tasks_for(w.size))
    elif w.shape[0]:
        multiply[dy.dtype](dy, w, _ONE[dy.dtype], dx, 0)
    else:
        dx[...] = 0
    return dx


def weight_gradient(x: Array, dy: Array) -> Array:
    """Return dyᵀ x."""
    dw = empty((dy.shape[1], x.shape[1]), x.dtype)
    if len(x):
        multiply[x.dtype](dy.T, x, _ONE[x.dtype], dw, 0)
    else:
        dw[...] = 0
    return dw


_ONE = {np.dtype(name): np.zeros(1, name) for name in ("float32", "float64")}


@kernel(reads(2, dense=True), reads(2, dense=True), reads(1), writes(2, dense=True), INT, INT)
def _forward_few(x, w, b, y, with_bias, tasks):
    fork(_forward_few_part, tasks, (x, w, b, y, with_bias, tasks))


@part
def _forward_few_part(task, x, w, b, y, with_bias, tasks):
    for f in range(w.shape[0] * task // tasks, w.shape[0] * (task + 1) // tasks):
        for n in range(x.shape[0]):
            y[n, f] = dot(x[n], w[f]) + (b[f] if with_bias else 0)


@kernel(reads(2, dense=True), reads(2, dense=True), writes(2, dense=True), INT)
def _input_gradient_few(dy, w, dx, tasks):
    fork(_input_gradient_few_part, tasks, (dy, w, dx, tasks))


@part
def _input_gradient_few_part(task, dy, w, dx, tasks):
    first, last = w.shape[1] * task // tasks, w.shape[1] * (task + 1) // tasks
    for n in range(dx.shape[0]):
        here = dx[n, first:last]
        here[:] = 0
        for f in range(w.shape[0]):
            row, factor = w[f, first:last], dy[n, f]
            for k in range(here.size):
                here[k] += factor * row[k]
