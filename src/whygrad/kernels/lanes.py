"""Vectors of channels, for operations that do the same with every channel of a pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from whygrad.kernels.vectors import Real

I32, I64 = ir.IntType(32), ir.IntType(64)


class Lanes:
    """Loads and stores vectors of channels; what lies past the last channel is neither read nor written."""

    def __init__(self, builder: Any, kind: Real, guard: Any) -> None:
        self.builder, self.kind, self.guard = builder, kind, guard

    def of(self, scalar: Any) -> Any:
        """Return the vector type of this scalar type."""
        return ir.VectorType(scalar, self.kind.lanes)

    def spread(self, value: Any) -> Any:
        """Return a vector that holds one number everywhere."""
        b, vector = self.builder, self.of(value.type)
        one = b.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.kind.lanes), [0] * self.kind.lanes)
        return b.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return a·b + c."""
        name = f"llvm.fmuladd.v{self.kind.lanes}{_letter(self.kind.scalar)}"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
        return self.builder.call(function, [a, b, c])

    def load(self, scalar: Any, address: Any) -> Any:
        """Load a vector of this scalar type."""
        b, vector = self.builder, self.of(scalar)
        pointer = b.inttoptr(address, vector.as_pointer())
        if self.guard is None:
            return b.load(pointer, align=1)
        takes = [vector.as_pointer(), I32, self.guard.type, vector]
        name = f"llvm.masked.load.v{self.kind.lanes}{_letter(scalar)}.p0"
        function = cgutils.get_or_insert_function(b.module, ir.FunctionType(vector, takes), name)
        return b.call(function, [pointer, ir.Constant(I32, 1), self.guard, ir.Constant(vector, None)])

    def store(self, value: Any, address: Any) -> None:
        """Store a vector."""
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


def over_channels(
    b: Any, kind: Real, channels: Any, body: Callable[[Lanes, Any, int], None], *, together: int = 1
) -> None:
    """Emit a loop over vectors of channels, the last of which may be partial.

    The body is given the lanes, the first channel, and how many vectors to do: ``together`` as long as there are so
    many, which spreads the cost of the loops that it consists of, then one.
    """
    zero, step = ir.Constant(I64, 0), ir.Constant(I64, kind.lanes)
    begin = zero
    if together > 1:
        wide = ir.Constant(I64, together * kind.lanes)
        begin = b.mul(b.sdiv(channels, wide), wide)
        with cgutils.for_range_slice(b, zero, begin, wide, I64) as (c, _):
            body(Lanes(b, kind, None), c, together)
    with cgutils.for_range_slice(b, begin, channels, step, I64) as (c, _):
        left = b.sub(channels, c)
        with b.if_else(b.icmp_signed(">=", left, step)) as (whole, partial):
            with whole:
                body(Lanes(b, kind, None), c, 1)
            with partial:
                lanes = Lanes(b, kind, None)
                numbers = ir.Constant(lanes.of(I64), list(range(kind.lanes)))
                body(Lanes(b, kind, b.icmp_signed("<", numbers, lanes.spread(left))), c, 1)


def scaled(b: Any, base: Any, count: Any, size: int) -> Any:
    """Return the address so many numbers of ``size`` bytes further on."""
    return b.add(base, b.mul(count, ir.Constant(I64, size)))
