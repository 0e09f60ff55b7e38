"""Compiled twin of ``linear``."""

from __future__ import annotations

import numpy as np

from whygrad.kernels import relu
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


def backward(
    x: Array, w: Array, gate: Array | None, dy: Array, *, with_bias: bool, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    """Return dx = dy w, dw = dyᵀ x and db = Σ_n dy[n], or None for what is not asked for.

    With a ``gate`` of the shape of dy only the entries of dy count where it is positive.
    """
    dtype, (n, features), outputs = x.dtype, x.shape, w.shape[0]
    if n <= FEW:
        dw, db = empty((outputs, features), dtype), np.empty(outputs, dtype)
        dx = empty((n, features), dtype) if input_gradient else None
        x, w, dy = np.ascontiguousarray(x), np.ascontiguousarray(w), np.ascontiguousarray(dy)
        given = x, w, dy if gate is None else np.ascontiguousarray(gate), dy
        made = dw, db, dw if dx is None else dx
        _backward_few[dtype](*given, *made, gate is not None, dx is not None, tasks_for(w.size))
        return dx, dw, db if with_bias else None
    if gate is not None:
        dy = relu.backward(gate, dy)
    dw = empty((outputs, features), dtype)
    multiply[dtype](dy.T, x, _ONE[dtype], dw, 0, 0)
    return _input_gradient(dy, w) if input_gradient else None, dw, dy.sum(axis=0) if with_bias else None


def _input_gradient(dy: Array, w: Array) -> Array:
    dx = empty((dy.shape[0], w.shape[1]), dy.dtype)
    if w.shape[0]:
        multiply[dy.dtype](dy, w, _ONE[dy.dtype], dx, 0, 0)
    else:
        dx[...] = 0
    return dx


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


@kernel(*[reads(2, dense=True)] * 4, writes(2, dense=True), writes(1), writes(2, dense=True), INT, INT, INT)
def _backward_few(x, w, gate, dy, dw, db, dx, gated, with_dx, tasks):
    fork(_backward_few_part, tasks, (x, w, gate, dy, dw, db, dx, gated, with_dx, tasks))


@part
def _backward_few_part(task, x, w, gate, dy, dw, db, dx, gated, with_dx, tasks):
    """Do some of the columns of dw and dx."""
    first, last = w.shape[1] * task // tasks, w.shape[1] * (task + 1) // tasks
    factors, zero = np.empty(dy.shape, dy.dtype), dy.dtype.type(0)
    for n in range(dy.shape[0]):
        for f in range(dy.shape[1]):
            factors[n, f] = dy[n, f] if not gated or gate[n, f] > 0 else zero
    for f in range(w.shape[0]):
        row, total = dw[f, first:last], zero
        if not x.shape[0]:
            row[:] = 0
        for n in range(x.shape[0]):
            seen, factor = x[n, first:last], factors[n, f]
            total += factor
            if n:
                for k in range(row.size):
                    row[k] += factor * seen[k]
            else:
                for k in range(row.size):
                    row[k] = zero + factor * seen[k]  # no sum begins with −0
        if task == 0:
            db[f] = total
    if with_dx:
        for n in range(x.shape[0]):
            _add_rows(w, factors[n], dx[n, first:last], first, last)


@part
def _add_rows(w, factors, total, first, last):
    """Write the sum of the rows of w times their factors, in their order, four rows at a time."""
    total[:] = 0
    fours = w.shape[0] // 4 * 4
    for f in range(0, fours, 4):
        a, b, c, d = w[f, first:last], w[f + 1, first:last], w[f + 2, first:last], w[f + 3, first:last]
        of_a, of_b, of_c, of_d = factors[f], factors[f + 1], factors[f + 2], factors[f + 3]
        for k in range(total.size):
            here = total[k] + of_a * a[k]
            here += of_b * b[k]
            here += of_c * c[k]
            total[k] = here + of_d * d[k]
    for f in range(fours, w.shape[0]):
        row, factor = w[f, first:last], factors[f]
        for k in range(total.size):
            total[k] += factor * row[k]
