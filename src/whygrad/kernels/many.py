"""Many arrays in one call: small ones take longer to hand over one by one than to compute with.

Compiled code is told where a tuple of arrays lies, and finds there where the numbers of each begin, as the macros
``PyTuple_GET_ITEM`` and ``PyArray_DATA`` do in C. Whether objects lie in memory so is tried once; if they do not,
Python looks the addresses up.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.np.arrayobj import populate_array

from whygrad.kernels.compiler import intrinsic, ints, part
from whygrad.typing import Array

#: Where a list of addresses lies, and how far into what they lead to the address of an array's numbers stands; −1
#: if the list has these themselves.
PLACES = ints(2)
SIZES = types.Array(types.int64, 1, "C")

I64 = ir.IntType(64)
_WORD = 8  #: bytes of an address
_ITEMS = tuple.__basicsize__  #: how far into a tuple its items begin
_NUMBERS = (
    object.__basicsize__
)  #: how far into an array the address of its numbers stands: after what all objects have


def places_of(arrays: Sequence[Array]) -> tuple[Any, tuple[int, int]]:
    """Return what must be kept until the call is over, and the ``PLACES`` of these arrays."""
    if _known_layout():
        kept = tuple(arrays)
        return kept, (id(kept) + _ITEMS, _NUMBERS)
    addresses = _addresses(arrays)
    return (addresses, arrays), (addresses.ctypes.data, -1)


def _addresses(arrays: Sequence[Array]) -> Any:
    return np.array([a.ctypes.data for a in arrays], np.int64)


@cache
def _known_layout() -> bool:
    """Return whether tuples and arrays lie in memory as is believed, seen at some of each kind."""
    memory = np.zeros((3, 4), np.float32)
    arrays = memory, memory[1:], np.zeros(0), np.ones(()), memory.T[2]
    wanted = _addresses(arrays).tolist()

    def word(address: int) -> int:
        return ctypes.c_int64.from_address(address).value

    objects = [word(id(arrays) + _ITEMS + i * _WORD) for i in range(len(arrays))]
    return objects == [id(a) for a in arrays] and [word(at + _NUMBERS) for at in objects] == wanted


@part
def nth(like, places, n, size):
    """Return array number n of those at these ``PLACES``, which hold the type of ``like``, as a vector."""
    at = _word(places[0] + n * _WORD)
    if places[1] >= 0:
        at = _word(at + places[1])
    return _vector(like, at, size)


@intrinsic
def _word(context: Any, address: Any) -> Any:
    """Return the whole number at an address."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.load(builder.inttoptr(values[0], I64.as_pointer()))

    return types.int64(types.int64), codegen


@intrinsic
def _vector(context: Any, like: Any, address: Any, size: Any) -> Any:
    """Return the ``size`` numbers from an address on, of the type that ``like`` holds, as an array."""
    kind = types.Array(like.dtype, 1, "C")

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        number = context.get_value_type(like.dtype)
        bytes_each = ir.Constant(I64, context.get_abi_sizeof(number))
        array = context.make_array(kind)(context, builder)
        data = builder.inttoptr(values[1], number.as_pointer())
        populate_array(array, data=data, shape=[values[2]], strides=[bytes_each], itemsize=bytes_each, meminfo=None)
        return array._getvalue()

    return kind(like, types.int64, types.int64), codegen
