"""The one building block: a batch of small matrix products, summed in vector registers.

    C[r, l] (+)= Σ_b Σ_k  A[b·a_b + r·a_r + k·a_k] · B[b·b_b + k·b_k + l]        r < rows, l < columns

A is read by broadcast, B by contiguous vectors, and the sums never leave the registers until all is added. Every
pass of a convolution and every matrix product is this block with other strides.

Source: E. Georganas et al., "Harnessing deep learning via a single building block" (2020), arXiv:1906.06440.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.compiler import intrinsic
from whygrad.kernels.vectors import Real

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)

#: Addresses are in bytes, strides in numbers. ``start``: 0 to store, 1 to add to what C holds, 2 to add the row at
#: ``bias`` first. ``relu``: 1 to store max(sum, 0). ``mask``: 1 if rows of B narrower than a vector end with the
#: last column, 0 if they go on to a whole vector.
ARGUMENTS = (
    *("rows", "columns", "a", "a_r", "a_k", "a_b", "b", "b_k", "b_b"),
    *("c", "c_r", "batch", "depth", "start", "bias", "relu", "mask"),
)


def tile_intrinsic(real: Real) -> Any:
    """Return the block for numbers of type ``real`` as a Numba intrinsic that takes ARGUMENTS, all int64."""

    @intrinsic
    def tile(_context: Any, arguments: Any) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            numbers = cgutils.unpack_tuple(builder, values[0], len(ARGUMENTS))
            _Emitter(builder, real, dict(zip(ARGUMENTS, numbers, strict=True))).emit()
            return context.get_dummy_value()

        return types.void(arguments), codegen

    return tile


class _Emitter:
    """Writes the block's instructions: one loop for each number of rows and vectors, chosen by a switch."""

    def __init__(self, builder: Any, real: Real, given: dict[str, Any]) -> None:
        self.builder, self.real, self.given = builder, real, given
        self.vector = ir.VectorType(real.scalar, real.lanes)
        self.mask = ir.VectorType(I1, real.lanes)
        module = builder.module

        def declare(name: str, result: Any, takes: list[Any]) -> Any:
            return cgutils.get_or_insert_function(module, ir.FunctionType(result, takes), name)

        kind = f"v{real.lanes}f{8 * real.size}"
        pointer = self.vector.as_pointer()
        self.fma = declare(f"llvm.fmuladd.{kind}", self.vector, [self.vector] * 3)
        self.load_masked = declare(
            f"llvm.masked.load.{kind}.p0", self.vector, [pointer, I32, self.mask, self.vector]
        )
        self.store_masked = declare(
            f"llvm.masked.store.{kind}.p0", ir.VoidType(), [self.vector, pointer, I32, self.mask]
        )

    def emit(self) -> None:
        b, real = self.builder, self.real
        done = b.append_basic_block("done")
        columns = self.given["columns"]
        narrow = b.icmp_signed("<=", columns, self.count(real.lanes))
        partial = b.and_(
            b.icmp_signed("<", columns, self.count(real.lanes)),
            b.icmp_signed("==", self.given["mask"], self.count(1)),
        )
        kind = b.select(partial, self.count(2), b.zext(narrow, I64))
        switch = b.switch(b.add(b.mul(self.given["rows"], self.count(3)), kind), done)
        for rows in range(1, real.rows + 1):
            for kind, vectors in enumerate((real.vectors, 1, 1)):
                block = b.append_basic_block(f"tile{rows}x{vectors}")
                switch.add_case(self.count(3 * rows + kind), block)
                b.position_at_end(block)
                guards = [self.lanes_below(0) if kind == 2 else None] * vectors
                self.finish(self.products(rows, guards), done)
        b.position_at_end(done)

    def products(self, rows: int, guards: list[Any]) -> list[list[Any]]:
        """Emit the two loops, over the batch and over the depth, and return the rows x vectors sums.

        There is a guard for each vector of B: the mask of the lanes that may be read, or None for all.
        """
        b, given, vectors = self.builder, self.given, len(guards)
        before, over_batch = b.block, b.append_basic_block("batch")
        over_depth, after_depth = b.append_basic_block("depth"), b.append_basic_block("next")
        end = b.append_basic_block("sums")
        zero = ir.Constant(self.vector, [0.0] * self.real.lanes)
        b.branch(over_batch)

        b.position_at_end(over_batch)
        i = b.phi(I64)
        i.add_incoming(self.count(0), before)
        so_far = [[b.phi(self.vector) for _ in range(vectors)] for _ in range(rows)]
        a, w = (self.offset(given[n], b.mul(i, given[n + "_b"])) for n in "ab")
        b.branch(over_depth)

        b.position_at_end(over_depth)
        k = b.phi(I64)
        k.add_incoming(self.count(0), over_batch)
        sums = [[b.phi(self.vector) for _ in range(vectors)] for _ in range(rows)]
        row_of_b = self.offset(w, b.mul(k, given["b_k"]))
        column_of_a = self.offset(a, b.mul(k, given["a_k"]))
        seen = [self.load(self.offset(row_of_b, self.count(v * self.real.lanes)), g) for v, g in enumerate(guards)]
        added = []
        for r in range(rows):
            number = self.broadcast(self.offset(column_of_a, b.mul(self.count(r), given["a_r"])))
            added.append([b.call(self.fma, [number, seen[v], sums[r][v]]) for v in range(vectors)])
        following = b.add(k, self.count(1))
        k.add_incoming(following, over_depth)
        b.cbranch(b.icmp_signed("<", following, given["depth"]), over_depth, after_depth)

        b.position_at_end(after_depth)
        next_i = b.add(i, self.count(1))
        i.add_incoming(next_i, after_depth)
        b.cbranch(b.icmp_signed("<", next_i, given["batch"]), over_batch, end)
        for r in range(rows):
            for v in range(vectors):
                so_far[r][v].add_incoming(zero, before)
                so_far[r][v].add_incoming(added[r][v], after_depth)
                sums[r][v].add_incoming(so_far[r][v], over_batch)
                sums[r][v].add_incoming(added[r][v], over_depth)
        b.position_at_end(end)
        return added

    def finish(self, sums: list[list[Any]], done: Any) -> None:
        """Emit what follows the sums: add to C or the bias, ReLU, and the store, masked for a partial vector."""
        b, given = self.builder, self.given
        vectors = len(sums[0])
        partial = b.icmp_signed("<", given["columns"], self.count(vectors * self.real.lanes))
        masked, whole = b.append_basic_block("masked"), b.append_basic_block("whole")
        b.cbranch(partial, masked, whole)
        for block, masks in ((masked, True), (whole, False)):
            b.position_at_end(block)
            guards = [self.lanes_below(v) if masks and v == vectors - 1 else None for v in range(vectors)]
            self.store_tile(sums, guards)
            b.branch(done)

    def store_tile(self, sums: list[list[Any]], guards: list[Any]) -> None:
        b, given = self.builder, self.given
        row = [self.offset(given["c"], b.mul(self.count(r), given["c_r"])) for r in range(len(sums))]
        step = [self.count(v * self.real.lanes) for v in range(len(guards))]

        begin = b.block
        add, bias, ready = (b.append_basic_block(n) for n in ("add", "bias", "ready"))
        switch = b.switch(given["start"], ready)
        switch.add_case(self.count(1), add)
        switch.add_case(self.count(2), bias)
        b.position_at_end(add)
        added = [
            [b.fadd(value, self.load(self.offset(row[r], step[v]), guards[v])) for v, value in enumerate(line)]
            for r, line in enumerate(sums)
        ]
        b.branch(ready)
        b.position_at_end(bias)
        offsets = [self.load(self.offset(given["bias"], step[v]), g) for v, g in enumerate(guards)]
        shifted = [[b.fadd(value, offsets[v]) for v, value in enumerate(line)] for line in sums]
        b.branch(ready)
        b.position_at_end(ready)
        totals = [[b.phi(self.vector) for _ in line] for line in sums]
        for r, line in enumerate(totals):
            for v, phi in enumerate(line):
                for values, block in ((sums, begin), (added, add), (shifted, bias)):
                    phi.add_incoming(values[r][v], block)
        zero = ir.Constant(self.vector, [0.0] * self.real.lanes)
        with b.if_else(b.icmp_signed("!=", given["relu"], self.count(0))) as (cut, plain):
            with cut:
                for r, line in enumerate(totals):
                    for v, total in enumerate(line):
                        positive = b.select(b.fcmp_ordered("<=", total, zero), zero, total)
                        self.store(positive, self.offset(row[r], step[v]), guards[v])
            with plain:
                for r, line in enumerate(totals):
                    for v, total in enumerate(line):
                        self.store(total, self.offset(row[r], step[v]), guards[v])

    # Small words of the above.

    def count(self, number: int) -> Any:
        return ir.Constant(I64, number)

    def offset(self, address: Any, numbers: Any) -> Any:
        return self.builder.add(address, self.builder.mul(numbers, self.count(self.real.size)))

    def load(self, address: Any, guard: Any = None) -> Any:
        pointer = self.builder.inttoptr(address, self.vector.as_pointer())
        if guard is None:
            return self.builder.load(pointer, align=self.real.size)
        nothing = ir.Constant(self.vector, [0.0] * self.real.lanes)
        return self.builder.call(self.load_masked, [pointer, ir.Constant(I32, self.real.size), guard, nothing])

    def store(self, value: Any, address: Any, guard: Any = None) -> None:
        pointer = self.builder.inttoptr(address, self.vector.as_pointer())
        if guard is None:
            self.builder.store(value, pointer, align=self.real.size)
        else:
            self.builder.call(self.store_masked, [value, pointer, ir.Constant(I32, self.real.size), guard])

    def broadcast(self, address: Any) -> Any:
        pointer = self.builder.inttoptr(address, self.real.scalar.as_pointer())
        return self.spread(self.builder.load(pointer, align=self.real.size), self.vector)

    def spread(self, scalar: Any, kind: Any) -> Any:
        b, nothing = self.builder, ir.Constant(kind, ir.Undefined)
        one = b.insert_element(nothing, scalar, ir.Constant(I32, 0))
        return b.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count))

    def lanes_below(self, vector: int) -> Any:
        """Return the mask of those lanes of this vector that hold columns of C."""
        lane = ir.Constant(
            ir.VectorType(I64, self.real.lanes), [vector * self.real.lanes + i for i in range(self.real.lanes)]
        )
        return self.builder.icmp_signed("<", lane, self.spread(self.given["columns"], lane.type))
