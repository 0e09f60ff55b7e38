"""The most that this machine's vector units can do: fused multiply-adds that never leave the registers."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from whygrad.kernels.vectors import Real, real

#: Sums that do not wait for each other: more than latency times units of today's processors, and they fit into 16
#: registers beside their two factors.
SUMS = 12
I64 = ir.IntType(64)


def measure(threads: int, *, rounds: int = 15, seconds: float = 0.05) -> float:
    """Return the float32 operations a second of all threads at once, a multiply-add counted as two."""
    lanes = real("float32").lanes
    spin = _kernel(real("float32"))
    once = 10_000
    steps = max(once, int(once * seconds / max(_seconds(spin, once, 1), 1e-9)))
    best = min(_seconds(spin, steps, threads) for _ in range(rounds))
    return 2.0 * lanes * SUMS * steps * threads / best


def _seconds(spin: Callable[[int, Any], None], steps: int, threads: int) -> float:
    """Return how long the slowest of some threads takes for so many steps, begun together."""
    barrier = Barrier(threads)

    def run() -> tuple[float, float]:
        numbers = np.full(64, 0.5, np.float32)
        spin(1, numbers)
        barrier.wait()
        began = time.perf_counter()
        spin(steps, numbers)
        return began, time.perf_counter()

    with ThreadPoolExecutor(threads) as pool:
        times = [future.result() for future in [pool.submit(run) for _ in range(threads)]]
    return max(end for _, end in times) - min(began for began, _ in times)


def _kernel(kind: Real) -> Callable[[int, Any], None]:
    multiply_add = _multiply_add(kind)

    def spin(steps, numbers):  # type: ignore[no-untyped-def]
        multiply_add(steps, numbers.ctypes.data)

    compiled: Callable[[int, Any], None] = numba.njit(nogil=True)(spin)
    return compiled


def _multiply_add(kind: Real) -> Any:
    """Return s ← x·s + x for SUMS vectors s, so many times, as an intrinsic; x stands at an address."""
    vector = ir.VectorType(kind.scalar, kind.lanes)
    name = f"llvm.fmuladd.v{kind.lanes}f{8 * kind.size}"

    @intrinsic  # type: ignore[untyped-decorator]
    def loop(_context: Any, _steps: Any, _address: Any) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            function = ir.FunctionType(vector, [vector] * 3)
            fma = cgutils.get_or_insert_function(builder.module, function, name)
            pointer = builder.inttoptr(values[1], vector.as_pointer())
            x = builder.load(pointer, align=kind.size)
            before, body = builder.block, builder.append_basic_block("body")
            end = builder.append_basic_block("end")
            builder.branch(body)
            builder.position_at_end(body)
            step = builder.phi(I64)
            sums = [builder.phi(vector) for _ in range(SUMS)]
            added = [builder.call(fma, [x, s, x]) for s in sums]
            following = builder.add(step, ir.Constant(I64, 1))
            step.add_incoming(ir.Constant(I64, 0), before)
            step.add_incoming(following, body)
            for i, (s, new) in enumerate(zip(sums, added, strict=True)):
                s.add_incoming(ir.Constant(vector, [float(i)] * kind.lanes), before)  # else they were one sum
                s.add_incoming(new, body)
            builder.cbranch(builder.icmp_signed("<", following, values[0]), body, end)
            builder.position_at_end(end)
            total = added[0]
            for new in added[1:]:
                total = builder.fadd(total, new)
            builder.store(total, pointer, align=kind.size)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return loop
