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


def forward(x: Array, w: Array, b: Array | None, *, gated: bool) -> Array:
    """Return x wᵀ + b, cut off at 0 if ``gated``."""
    y = empty((x.shape[0], w.shape[0]), x.dtype)
    bias = _ONE[x.dtype] if b is None else np.ascontiguousarray(b)
    if len(x) <= FEW:
        x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
        _forward_few[x.dtype](x, w, bias, y, b is not None, gated, tasks_for(w.size))
    elif x.shape[1]:
        multiply[x.dtype](x, w.T, bias, y, b is not None, gated)
    else:
        y[...] = 0 if b is None else b
        if gated:
            y[y <= 0] = 0
    return y


def input_gradient(dy: Array, w: Array) -> Array:
    """Return dy w."""
    dx = empty((dy.shape[0], w.shape[1]), dy.dtype)
    if len(dy) <= FEW:
        dy, w = np.ascontiguousarray(dy), np.ascontiguousarray(w)
        _input_gradient_few[dy.dtype](dy, w, dx, tasks_for(w.size))
    elif w.shape[0]:
        multiply[dy.dtype](dy, w, _ONE[dy.dtype], dx, 0, 0)
    else:
        dx[...] = 0
    return dx


def weight_gradient(x: Array, dy: Array, *, with_bias: bool) -> tuple[Array, Array | None]:
    """Return dw = dyᵀ x, and db = Σ_n dy[n] if there is a bias."""
    dw = empty((dy.shape[1], x.shape[1]), x.dtype)
    if len(x) <= FEW:
        db = np.empty(dy.shape[1], x.dtype)
        x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
        _weight_gradient_few[x.dtype](x, dy, dw, db, tasks_for(dw.size))
        return dw, db if with_bias else None
    multiply[x.dtype](dy.T, x, _ONE[x.dtype], dw, 0, 0)
    return dw, dy.sum(axis=0) if with_bias else None


_ONE = {np.dtype(name): np.zeros(1, name) for name in ("float32", "float64")}


@kernel(reads(2, dense=True), reads(2, dense=True), reads(1), writes(2, dense=True), INT, INT, INT)
def _forward_few(x, w, b, y, with_bias, gated, tasks):
    fork(_forward_few_part, tasks, (x, w, b, y, with_bias, gated, tasks))


@part
def _forward_few_part(task, x, w, b, y, with_bias, gated, tasks):
    for f in range(w.shape[0] * task // tasks, w.shape[0] * (task + 1) // tasks):
        for n in range(x.shape[0]):
            total = dot(x[n], w[f]) + (b[f] if with_bias else 0)
            y[n, f] = 0 if gated and total <= 0 else total


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


@kernel(reads(2, dense=True), reads(2, dense=True), writes(2, dense=True), writes(1), INT)
def _weight_gradient_few(x, dy, dw, db, tasks):
    fork(_weight_gradient_few_part, tasks, (x, dy, dw, db, tasks))


@part
def _weight_gradient_few_part(task, x, dy, dw, db, tasks):
    for f in range(dw.shape[0] * task // tasks, dw.shape[0] * (task + 1) // tasks):
        row = dw[f]
        row[:] = 0
        db[f] = 0
        for n in range(x.shape[0]):
            seen, factor = x[n], dy[n, f]
            db[f] += factor
            for k in range(row.size):
                row[k] += factor * seen[k]
