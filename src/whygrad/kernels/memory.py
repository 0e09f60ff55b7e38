"""Memory as compiled code sees it: addresses, copies, and scratch space that begins on a cache line."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.compiler import intrinsic, part

BYTES = ir.IntType(8).as_pointer()
I64 = ir.IntType(64)
CACHE_LINE = 64


@intrinsic
def copy(context: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy ``count`` bytes from one address to another; the two pieces do not overlap."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        to, origin = (builder.inttoptr(value, BYTES) for value in values[:2])
        cgutils.raw_memcpy(builder, to, origin, values[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def clear(context: Any, target: Any, count: Any) -> Any:
    """Set ``count`` bytes from an address on to zero."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        cgutils.memset(builder, builder.inttoptr(values[0], BYTES), values[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def fetch(context: Any, array: Any, address: Any) -> Any:
    """Return the number at an address, of the type that ``array`` holds."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = context.get_value_type(array.dtype)
        return builder.load(builder.inttoptr(values[1], kind.as_pointer()))

    return array.dtype(array, types.int64), codegen


@intrinsic
def put(context: Any, array: Any, address: Any, value: Any) -> Any:
    """Write a number at an address, as the type that ``array`` holds."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = context.get_value_type(array.dtype)
        builder.store(values[2], builder.inttoptr(values[1], kind.as_pointer()))
        return context.get_dummy_value()

    return types.void(array, types.int64, array.dtype), codegen


@part
def scratch(count, like):
    """Return room for ``count`` numbers of the type of ``like``, and the address of a cache line in it."""
    size = like.itemsize
    room = np.empty(count + CACHE_LINE // size, like.dtype)
    start = room.ctypes.data
    return room, (start + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


@part
def release(room):
    """End the use of scratch space, which must live until here: compiled code frees what is not mentioned again."""
