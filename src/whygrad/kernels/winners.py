"""Max-pooling of one window, all channels at once: who wins, and who is given the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.compiler import intrinsic
from whygrad.kernels.vectors import Real, real

I32, I64 = ir.IntType(32), ir.IntType(64)


class _Lanes:
    """Loads and stores vectors of channels; what lies past the last channel is neither read nor written."""

    def __init__(self, builder: Any, kind: Real, guard: Any) -> None:
        self.builder, self.kind, self.guard = builder, kind, guard

    def of(self, scalar: Any) -> Any:
        return ir.VectorType(scalar, self.kind.lanes)

    def spread(self, value: Any) -> Any:
        b, vector = self.builder, self.of(value.type)
        one = b.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.kind.lanes), [0] * self.kind.lanes)
        return b.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

    def load(self, scalar: Any, address: Any) -> Any:
        b, vector = self.builder, self.of(scalar)
        pointer = b.inttoptr(address, vector.as_pointer())
        if self.guard is None:
            return b.load(pointer, align=1)
        takes = [vector.as_pointer(), I32, self.guard.type, vector]
        name = f"llvm.masked.load.v{self.kind.lanes}{_letter(scalar)}.p0"
        function = cgutils.get_or_insert_function(b.module, ir.FunctionType(vector, takes), name)
        return b.call(function, [pointer, ir.Constant(I32, 1), self.guard, ir.Constant(vector, None)])

    def store(self, value: Any, address: Any) -> None:
        b = self.builder
        pointer = b.inttoptr(address, value.type.as_pointer())
        if self.guard is None:
            b.store(value, pointer, align=1)
            return
        takes = [value.type, value.type.as_pointer(), I32, self.guard.type]
        name = f"llvm.masked.store.v{self.kind.lanes}{_letter(value.type.element)}.p0"
        function = cgutils.get_or_insert_function(b.module, ir.FunctionType(ir.VoidType(), takes), name)
        b.call(function, [value, pointer, ir.Constant(I32, 1), self.guard])


def _letter(scalar: Any) -> str:
    return {ir.FloatType(): "f32", ir.DoubleType(): "f64"}.get(scalar) or f"i{scalar.width}"


def _over_channels(b: Any, kind: Real, channels: Any, body: Callable[[_Lanes, Any], None]) -> None:
    """Emit a loop over vectors of channels, the last of which may be partial."""
    step = ir.Constant(I64, kind.lanes)
    with cgutils.for_range_slice(b, ir.Constant(I64, 0), channels, step, I64) as (c, _):
        left = b.sub(channels, c)
        with b.if_else(b.icmp_signed(">=", left, step)) as (whole, partial):
            with whole:
                body(_Lanes(b, kind, None), c)
            with partial:
                lanes = _Lanes(b, kind, None)
                numbers = ir.Constant(lanes.of(I64), list(range(kind.lanes)))
                body(_Lanes(b, kind, b.icmp_signed("<", numbers, lanes.spread(left))), c)


def _scaled(b: Any, base: Any, count: Any, size: int) -> Any:
    return b.add(base, b.mul(count, ir.Constant(I64, size)))


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

        def body(lanes: _Lanes, c: Any) -> None:
            best = cgutils.alloca_once(b, lanes.of(kind.scalar))
            tap = cgutils.alloca_once(b, lanes.of(I32))

            def seen(r: Any, s: Any) -> Any:
                at = b.add(b.add(b.mul(r, row), b.mul(s, pixel)), c)
                return lanes.load(kind.scalar, _scaled(b, x, at, kind.size))

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
            lanes.store(b.load(best), _scaled(b, y, c, kind.size))
            won = b.load(tap) if index == I32 else b.trunc(b.load(tap), lanes.of(index))
            lanes.store(won, _scaled(b, winner, c, index.width // 8))

        _over_channels(b, kind, channels, body)
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

        def body(lanes: _Lanes, c: Any) -> None:
            won = lanes.load(index, _scaled(b, winner, c, index.width // 8))
            ours = b.icmp_unsigned("==", won, lanes.spread(b.trunc(tap, index)))
            zero = ir.Constant(lanes.of(kind.scalar), None)
            given = b.select(ours, lanes.load(kind.scalar, _scaled(b, dy, c, kind.size)), zero)
            target = _scaled(b, dx, c, kind.size)
            with b.if_else(b.icmp_signed("!=", add, ir.Constant(I64, 0))) as (adding, placing):
                with adding:
                    lanes.store(b.fadd(lanes.load(kind.scalar, target), given), target)
                with placing:
                    lanes.store(given, target)

        _over_channels(b, kind, channels, body)
        return context.get_dummy_value()

    return types.void(array, winners, arguments), codegen
