"""Max-pooling of one window, all channels at once: who wins, and who is given the gradient."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.compiler import intrinsic
from whygrad.kernels.lanes import I32, I64, Lanes, over_channels, scaled
from whygrad.kernels.vectors import real


@intrinsic
def find_winners(context: Any, array: Any, winners: Any, arguments: Any) -> Any:
    """Write the largest entry of a window and its tap, channel by channel.

    Of equal entries the first tap wins, and the first NaN against all others. The arguments are addresses in bytes
    and pitches in numbers: (x at tap 0, pitch of a row of taps, of a tap, first row of taps, the one after the
    last, first column, the one after the last, columns in all, y, winner, channels).
    """
    kind = real(array.dtype.name)
    index = ir.IntType(winners.dtype.bitwidth)

    def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
        x, row, pixel, r0, r1, s0, s1, columns, y, winner, channels = cgutils.unpack_tuple(b, values[2], 11)

        def body(lanes: Lanes, c: Any, _vectors: int) -> None:
            best = cgutils.alloca_once(b, lanes.of(kind.scalar))
            tap = cgutils.alloca_once(b, lanes.of(I32))

            def seen(r: Any, s: Any) -> Any:
                at = b.add(b.add(b.mul(r, row), b.mul(s, pixel)), c)
                return lanes.load(kind.scalar, scaled(b, x, at, kind.size))

            def number(r: Any, s: Any) -> Any:
                return lanes.spread(b.trunc(b.add(b.mul(r, columns), s), I32))

            b.store(seen(r0, s0), best)
            b.store(number(r0, s0), tap)
            one = ir.Constant(I64, 1)
            with (
                cgutils.for_range_slice(b, r0, r1, one, I64) as (r, _),
                cgutils.for_range_slice(b, s0, s1, one, I64) as (s, _),
            ):
                value, before = seen(r, s), b.load(best)
                larger = b.and_(b.fcmp_unordered(">", value, before), b.fcmp_ordered("ord", before, before))
                b.store(b.select(larger, value, before), best)
                b.store(b.select(larger, number(r, s), b.load(tap)), tap)
            lanes.store(b.load(best), scaled(b, y, c, kind.size))
            won = b.load(tap) if index == I32 else b.trunc(b.load(tap), lanes.of(index))
            lanes.store(won, scaled(b, winner, c, index.width // 8))

        over_channels(b, kind, channels, body)
        return context.get_dummy_value()

    return types.void(array, winners, arguments), codegen


@intrinsic
def give_to_winners(context: Any, array: Any, winners: Any, arguments: Any) -> Any:
    """Give dy to those channels of a pixel that won a window as its tap.

    The arguments are (winner, dy, dx, tap, channels, add), addresses in bytes: with ``add`` 1 to what dx holds,
    else in place of it.
    """
    kind = real(array.dtype.name)
    index = ir.IntType(winners.dtype.bitwidth)

    def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
        winner, dy, dx, tap, channels, add = cgutils.unpack_tuple(b, values[2], 6)

        def body(lanes: Lanes, c: Any, _vectors: int) -> None:
            won = lanes.load(index, scaled(b, winner, c, index.width // 8))
            ours = b.icmp_unsigned("==", won, lanes.spread(b.trunc(tap, index)))
            zero = ir.Constant(lanes.of(kind.scalar), None)
            given = b.select(ours, lanes.load(kind.scalar, scaled(b, dy, c, kind.size)), zero)
            target = scaled(b, dx, c, kind.size)
            with b.if_else(b.icmp_signed("!=", add, ir.Constant(I64, 0))) as (adding, placing):
                with adding:
                    lanes.store(b.fadd(lanes.load(kind.scalar, target), given), target)
                with placing:
                    lanes.store(given, target)

        over_channels(b, kind, channels, body)
        return context.get_dummy_value()

    return types.void(array, winners, arguments), codegen
