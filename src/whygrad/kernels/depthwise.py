"""Depthwise convolution, one filter a channel: what a tap sees of all channels times their weights at that tap.

There is no sum over channels to feed a register tile with. Sums over taps, and for the filters' gradient over the
pixels of a row, stay in vector registers, whose lanes are channels. Weights are laid out as ``[r][s][c]``. Taps
outside the image are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.compiler import INT, intrinsic, ints, kernel, part, reads, writes
from whygrad.kernels.lanes import I64, Lanes, over_channels, scaled
from whygrad.kernels.layout import tasks_for
from whygrad.kernels.pooling import inside
from whygrad.kernels.threads import fork
from whygrad.kernels.vectors import real
from whygrad.typing import Array

SUMS = types.Array(types.float64, 2, "C")
Six = tuple[int, int, int, int, int, int]


def suits(w_shape: tuple[int, ...], groups: int) -> bool:
    """Return whether these are filters (C, 1, R, S) of a depthwise convolution, C > 1."""
    return groups > 1 and w_shape[:2] == (groups, 1)


def correlate(x: Array, w: Array, b: Array | None, y: Array, where: Six) -> None:
    """Write the correlation of x (N, C, H, W) with w (C, 1, R, S), plus b (C,), to y, channels-last.

    ``where`` is (t_v, t_h, d_v, d_h, top, left).
    """
    bias = np.zeros(w.shape[0], w.dtype) if b is None else np.ascontiguousarray(b)
    taps = np.ascontiguousarray(w[:, 0].transpose(1, 2, 0))
    _correlate[x.dtype](_last(x), taps, bias, y, where, tasks_for(y.size))


def weight_gradient(x: Array, dy: Array, dw: Array, db: Array, where: Six) -> None:
    """Write dw (C, 1, R, S) and db (C,)."""
    tasks = min(tasks_for(dy.size), max(1, dy.shape[0] * dy.shape[2]))
    sums = np.zeros((tasks, *dw.shape[2:], dw.shape[0]), dw.dtype)
    biases = np.zeros((tasks, dw.shape[0]))
    _weight_gradient[x.dtype](_last(x), _last(dy), sums, biases, where, tasks)
    dw[:, 0] = sums.sum(axis=0).transpose(2, 0, 1)
    db[:] = biases.sum(axis=0)


def _last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


@intrinsic
def _sum_taps(context: Any, array: Any, arguments: Any) -> Any:
    """Write the bias plus the products of one window.

    The arguments are addresses in bytes and pitches in numbers: (x at tap 0, pitch of a row of taps, of a tap,
    first row of taps, the one after the last, first column, the one after the last, columns in all, weights, bias,
    y, channels).
    """
    kind = real(array.dtype.name)

    def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
        x, row, pixel, r0, r1, s0, s1, columns, w, bias, y, channels = cgutils.unpack_tuple(b, values[1], 12)

        def body(lanes: Lanes, c: Any, vectors: int) -> None:
            at = [b.add(c, ir.Constant(I64, v * kind.lanes)) for v in range(vectors)]
            totals = [cgutils.alloca_once(b, lanes.of(kind.scalar)) for _ in at]
            for total, here in zip(totals, at, strict=True):
                b.store(lanes.load(kind.scalar, scaled(b, bias, here, kind.size)), total)
            one = ir.Constant(I64, 1)
            with (
                cgutils.for_range_slice(b, r0, r1, one, I64) as (r, _),
                cgutils.for_range_slice(b, s0, s1, one, I64) as (s, _),
            ):
                seen_at = scaled(b, x, b.add(b.mul(r, row), b.mul(s, pixel)), kind.size)
                tap_at = scaled(b, w, b.mul(b.add(b.mul(r, columns), s), channels), kind.size)
                for total, here in zip(totals, at, strict=True):
                    seen = lanes.load(kind.scalar, scaled(b, seen_at, here, kind.size))
                    weight = lanes.load(kind.scalar, scaled(b, tap_at, here, kind.size))
                    b.store(lanes.multiply_add(seen, weight, b.load(total)), total)
            for total, here in zip(totals, at, strict=True):
                lanes.store(b.load(total), scaled(b, y, here, kind.size))

        over_channels(b, kind, channels, body, together=4)
        return context.get_dummy_value()

    return types.void(array, arguments), codegen


@intrinsic
def _sum_pixels(context: Any, array: Any, arguments: Any) -> Any:
    """Add the products of two rows of pixels, summed over the row, to what one tap has.

    The arguments are (x, its pitch, dy, its pitch, pixels, target, channels), as above.
    """
    kind = real(array.dtype.name)

    def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
        x, x_pitch, dy, dy_pitch, pixels, target, channels = cgutils.unpack_tuple(b, values[1], 7)

        def body(lanes: Lanes, c: Any, vectors: int) -> None:
            at = [b.add(c, ir.Constant(I64, v * kind.lanes)) for v in range(vectors)]
            totals = [cgutils.alloca_once(b, lanes.of(kind.scalar)) for _ in at]
            for total, here in zip(totals, at, strict=True):
                b.store(lanes.load(kind.scalar, scaled(b, target, here, kind.size)), total)
            zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
            with cgutils.for_range_slice(b, zero, pixels, one, I64) as (j, _):
                seen_at = scaled(b, x, b.mul(j, x_pitch), kind.size)
                given_at = scaled(b, dy, b.mul(j, dy_pitch), kind.size)
                for total, here in zip(totals, at, strict=True):
                    seen = lanes.load(kind.scalar, scaled(b, seen_at, here, kind.size))
                    given = lanes.load(kind.scalar, scaled(b, given_at, here, kind.size))
                    b.store(lanes.multiply_add(seen, given, b.load(total)), total)
            for total, here in zip(totals, at, strict=True):
                lanes.store(b.load(total), scaled(b, target, here, kind.size))

        over_channels(b, kind, channels, body, together=4)
        return context.get_dummy_value()

    return types.void(array, arguments), codegen


@kernel(reads(4, dense=True), reads(3, dense=True), reads(1), writes(4), ints(6), INT)
def _correlate(x, w, b, y, where, tasks):
    fork(_correlate_part, tasks, (x, w, b, y, where, tasks))


@part
def _correlate_part(task, x, w, b, y, where, tasks):
    step, across, dilation, apart, top, left = where
    height, width, channels = w.shape
    high, wide, size = x.shape[1], x.shape[2], x.itemsize
    for at in range(y.shape[0] * y.shape[2] * task // tasks, y.shape[0] * y.shape[2] * (task + 1) // tasks):
        n, i = at // y.shape[2], at % y.shape[2]
        h = i * step - top
        r0, r1 = inside(h, dilation, height, high)
        line = y.ctypes.data + n * y.strides[0] + i * y.strides[2]
        for j in range(y.shape[3]):
            v = j * across - left
            s0, s1 = inside(v, apart, width, wide)
            _sum_taps(
                x,
                (
                    *(x.ctypes.data + ((n * high + h) * wide + v) * channels * size, dilation * wide * channels),
                    *(apart * channels, r0, r1, s0, s1, width, w.ctypes.data, b.ctypes.data),
                    *(line + j * y.strides[3], channels),
                ),
            )


@kernel(reads(4, dense=True), reads(4, dense=True), writes(4, dense=True), SUMS, ints(6), INT)
def _weight_gradient(x, dy, dw, db, where, tasks):
    fork(_weight_gradient_part, tasks, (x, dy, dw, db, where, tasks))


@part
def _weight_gradient_part(task, x, dy, dw, db, where, tasks):
    step, across, dilation, apart, top, left = where
    height, width, channels = dw.shape[1:]
    high, wide, size = dy.shape[1], dy.shape[2], x.itemsize
    own = dw.ctypes.data + task * height * width * channels * size
    for at in range(dy.shape[0] * high * task // tasks, dy.shape[0] * high * (task + 1) // tasks):
        n, i = at // high, at % high
        for j in range(wide):
            for c in range(channels):
                db[task, c] += dy[n, i, j, c]
        r0, r1 = inside(i * step - top, dilation, height, x.shape[1])
        for r in range(r0, r1):
            line = (n * x.shape[1] + i * step + r * dilation - top) * x.shape[2]
            for s in range(width):
                j0, j1 = inside(s * apart - left, across, wide, x.shape[2])
                if j1 > j0:
                    first = line + j0 * across + s * apart - left
                    _sum_pixels(
                        x,
                        (
                            *(x.ctypes.data + first * channels * size, across * channels),
                            *(dy.ctypes.data + (at * wide + j0) * channels * size, channels),
                            *(j1 - j0, own + (r * width + s) * channels * size, channels),
                        ),
                    )
