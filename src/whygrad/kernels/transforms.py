"""The three linear maps of Winograd's convolution F(2x2, 3x3), all channels of a pixel at once.

With d a 4x4 piece of the padded image, g a 3x3 filter and δ the 2x2 piece of dy above it,

    y  = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A              dg = Gᵀ [(Bᵀ d B) ∘ (A δ Aᵀ)] G

       ⎡1  0 −1  0⎤        ⎡1  0  0⎤
    Bᵀ=⎢0  1  1  0⎥    G = ⎢½  ½  ½⎥    Aᵀ= ⎡1  1  1  0⎤
       ⎢0 −1  1  0⎥        ⎢½ −½  ½⎥        ⎣0  1 −1 −1⎦
       ⎣0  1  0 −1⎦        ⎣0  0  1⎦

where ∘ multiplies entry by entry: 16 products in place of 36. The second formula is the transpose of the first.

Source: A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks" (2016), arXiv:1509.09308.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.compiler import intrinsic
from whygrad.kernels.vectors import real

I64 = ir.IntType(64)
OneD = Callable[[Any, list[Any]], list[Any]]


def _of_image(b: Any, d: list[Any]) -> list[Any]:
    return [b.fsub(d[0], d[2]), b.fadd(d[1], d[2]), b.fsub(d[2], d[1]), b.fsub(d[1], d[3])]


def _of_filter(b: Any, g: list[Any]) -> list[Any]:
    half = ir.Constant(g[0].type, [0.5] * g[0].type.count)
    outer, inner = b.fmul(half, b.fadd(g[0], g[2])), b.fmul(half, g[1])
    return [g[0], b.fadd(outer, inner), b.fsub(outer, inner), g[2]]


def _of_sums(b: Any, s: list[Any]) -> list[Any]:
    half = ir.Constant(s[0].type, [0.5] * s[0].type.count)
    plus, minus = b.fmul(half, b.fadd(s[1], s[2])), b.fmul(half, b.fsub(s[1], s[2]))
    return [b.fadd(s[0], plus), minus, b.fadd(plus, s[3])]


def _of_products(b: Any, m: list[Any]) -> list[Any]:
    return [b.fadd(b.fadd(m[0], m[1]), m[2]), b.fsub(b.fsub(m[1], m[2]), m[3])]


def _of_cotangent(b: Any, y: list[Any]) -> list[Any]:
    return [y[0], b.fadd(y[0], y[1]), b.fsub(y[0], y[1]), b.fneg(y[1])]


def _transform(one_d: OneD, size: int, *, with_bias: bool = False) -> Any:
    """Return an intrinsic that applies ``one_d`` to the columns and rows of a square of pixels.

    It takes an array for the float type and a tuple of addresses in bytes and pitches in numbers: (source, its row
    pitch, its pixel pitch, target, its row pitch, its pixel pitch, channels, bias); the channels fill vectors.
    ``with_bias`` adds what is at ``bias`` to every pixel.
    """

    @intrinsic
    def transform(context: Any, array: Any, arguments: Any) -> Any:
        kind = real(array.dtype.name)
        vector = ir.VectorType(kind.scalar, kind.lanes)

        def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
            source, s_row, s_pixel, target, t_row, t_pixel, channels, bias = cgutils.unpack_tuple(b, values[1], 8)

            def pointer(base: Any, *steps: tuple[Any, int]) -> Any:
                for pitch, count in steps:
                    base = b.add(base, b.mul(pitch, ir.Constant(I64, count * kind.size)))
                return b.inttoptr(base, vector.as_pointer())

            step = ir.Constant(I64, kind.lanes)
            with cgutils.for_range_slice(b, ir.Constant(I64, 0), channels, step, I64) as (c, _):
                here, there = (b.add(at, b.mul(c, ir.Constant(I64, kind.size))) for at in (source, target))
                grid = [
                    [b.load(pointer(here, (s_row, i), (s_pixel, j)), align=kind.size) for j in range(size)]
                    for i in range(size)
                ]
                grid = [one_d(b, [line[j] for line in grid]) for j in range(size)]  # columns, now as rows
                grid = [one_d(b, [line[i] for line in grid]) for i in range(len(grid[0]))]
                for i, line in enumerate(grid):
                    for j, value in enumerate(line):
                        at = b.add(bias, b.mul(c, ir.Constant(I64, kind.size)))
                        total = b.fadd(value, b.load(pointer(at), align=kind.size)) if with_bias else value
                        b.store(total, pointer(there, (t_row, i), (t_pixel, j)), align=kind.size)
            return context.get_dummy_value()

        return types.void(array, arguments), codegen

    return transform


image_tile = _transform(_of_image, 4)
cotangent_tile = _transform(_of_cotangent, 2)
filter_tile = _transform(_of_filter, 3)
sums_tile = _transform(_of_sums, 4)
output_tile = _transform(_of_products, 4, with_bias=True)
