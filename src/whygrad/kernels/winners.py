"""Max-pooling of windows, all channels of a pixel at once: who wins, and who is given the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.compiler import intrinsic
from whygrad.kernels.lanes import I32, I64, Lanes, over_channels, scaled
from whygrad.kernels.vectors import real

ZERO, ONE, TWO = (ir.Constant(I64, k) for k in range(3))


@intrinsic
def find_winners(context: Any, array: Any, winners: Any, arguments: Any) -> Any:
    """Write the largest entry of each of some windows side by side and its tap, channel by channel.

    Of equal entries the first tap wins, and the first NaN against all others. The arguments are addresses in bytes
    and pitches in numbers: (x at tap 0 of the first window, pitch of a row of taps, of a tap, first row of taps,
    the one after the last, first column, the one after the last, columns in all, y, winner, channels, windows,
    pitch of a window in x, gated). With ``gated`` 1 an entry that is not positive does not win: no tap does then,
    for which all bits of the winner stand, and y is 0 unless it is NaN.
    """
    kind = real(array.dtype.name)
    index = ir.IntType(winners.dtype.bitwidth)

    def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
        x, row, pixel, r0, r1, s0, s1, columns, y, winner, channels, windows, step, gated = cgutils.unpack_tuple(
            b, values[2], 14
        )
        gate = b.icmp_signed("!=", gated, ZERO)

        def find(others: Callable[[], Any]) -> None:
            """Emit the loops over windows and channels; ``others`` gives the taps after the first."""
            with cgutils.for_range_slice(b, ZERO, windows, ONE, I64) as (j, _):
                first, to = b.mul(j, step), b.mul(j, channels)

                def seen(lanes: Lanes, c: Any, r: Any, s: Any) -> Any:
                    at = b.add(b.add(b.add(b.mul(r, row), b.mul(s, pixel)), first), c)
                    return lanes.load(kind.scalar, scaled(b, x, at, kind.size))

                def number(lanes: Lanes, r: Any, s: Any) -> Any:
                    return lanes.spread(b.trunc(b.add(b.mul(r, columns), s), I32))

                def body(lanes: Lanes, c: Any, _vectors: int) -> None:
                    best = cgutils.alloca_once(b, lanes.of(kind.scalar))
                    tap = cgutils.alloca_once(b, lanes.of(I32))
                    b.store(seen(lanes, c, r0, s0), best)
                    b.store(number(lanes, r0, s0), tap)
                    for taps in others():
                        with taps as (r, s):
                            value, before = seen(lanes, c, r, s), b.load(best)
                            larger = b.and_(
                                b.fcmp_unordered(">", value, before), b.fcmp_ordered("ord", before, before)
                            )
                            b.store(b.select(larger, value, before), best)
                            b.store(b.select(larger, number(lanes, r, s), b.load(tap)), tap)
                    at = b.add(to, c)
                    found, nothing = b.load(best), ir.Constant(lanes.of(kind.scalar), None)
                    gates, no_tap = lanes.spread(gate), lanes.spread(ir.Constant(index, -1))
                    cut = b.and_(b.fcmp_ordered("<=", found, nothing), gates)
                    shut = b.and_(b.fcmp_unordered("<=", found, nothing), gates)
                    lanes.store(b.select(cut, nothing, found), scaled(b, y, at, kind.size))
                    won = b.load(tap) if index == I32 else b.trunc(b.load(tap), lanes.of(index))
                    lanes.store(b.select(shut, no_tap, won), scaled(b, winner, at, index.width // 8))

                over_channels(b, kind, channels, body)

        _common_or_not(b, (r0, r1, s0, s1), find)
        return context.get_dummy_value()

    return types.void(array, winners, arguments), codegen


@intrinsic
def give_to_taps(context: Any, array: Any, winners: Any, arguments: Any) -> Any:
    """Write to all pixels of windows side by side that share none: dy for the channels that they won, else 0.

    The arguments are addresses in bytes and pitches in numbers: (winner, dy, dx at tap 0 of the first window, pitch
    of a row of taps, of a tap, first row of taps, the one after the last, first column, the one after the last,
    columns in all, channels, windows, pitch of a window in dx).
    """
    kind = real(array.dtype.name)
    index = ir.IntType(winners.dtype.bitwidth)

    def codegen(context: Any, b: Any, _signature: Any, values: Any) -> Any:
        winner, dy, dx, row, pixel, r0, r1, s0, s1, columns, channels, windows, step = cgutils.unpack_tuple(
            b, values[2], 13
        )

        def give(others: Callable[[], Any]) -> None:
            with cgutils.for_range_slice(b, ZERO, windows, ONE, I64) as (j, _):
                first, origin = b.mul(j, step), b.mul(j, channels)

                def body(lanes: Lanes, c: Any, _vectors: int) -> None:
                    at = b.add(origin, c)
                    won = lanes.load(index, scaled(b, winner, at, index.width // 8))
                    given = lanes.load(kind.scalar, scaled(b, dy, at, kind.size))
                    nothing = ir.Constant(lanes.of(kind.scalar), None)
                    for taps in (_one_tap(r0, s0), *others()):
                        with taps as (r, s):
                            tap = lanes.spread(b.trunc(b.add(b.mul(r, columns), s), index))
                            to = b.add(b.add(b.add(b.mul(r, row), b.mul(s, pixel)), first), c)
                            ours = b.icmp_unsigned("==", won, tap)
                            lanes.store(b.select(ours, given, nothing), scaled(b, dx, to, kind.size))

                over_channels(b, kind, channels, body)

        _common_or_not(b, (r0, r1, s0, s1), give)
        return context.get_dummy_value()

    return types.void(array, winners, arguments), codegen


def _common_or_not(b: Any, taps: tuple[Any, Any, Any, Any], emit: Callable[[Callable[[], Any]], None]) -> None:
    """Emit one piece of code for windows of 2x2 taps, as most are, where nothing loops, and one for all others.

    ``emit`` is given what yields the taps after the first, or that one again.
    """
    r0, r1, s0, s1 = taps
    common = ir.Constant(ir.IntType(1), 1)
    for number, usual in ((r0, ZERO), (r1, TWO), (s0, ZERO), (s1, TWO)):
        common = b.and_(common, b.icmp_signed("==", number, usual))
    with b.if_else(common) as (usually, else_):
        with usually:
            emit(lambda: [_one_tap(r, s) for r, s in ((ZERO, ONE), (ONE, ZERO), (ONE, ONE))])
        with else_:
            emit(lambda: [_all_taps(b, r0, r1, s0, s1)])


@contextmanager
def _one_tap(r: Any, s: Any) -> Iterator[tuple[Any, Any]]:
    yield r, s


@contextmanager
def _all_taps(b: Any, r0: Any, r1: Any, s0: Any, s1: Any) -> Iterator[tuple[Any, Any]]:
    with (
        cgutils.for_range_slice(b, r0, r1, ONE, I64) as (r, _),
        cgutils.for_range_slice(b, s0, s1, ONE, I64) as (s, _),
    ):
        yield r, s


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
