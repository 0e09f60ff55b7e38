"""The register tile as a compiled function that kernels share, one for each float type."""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.cache import compiled
from whygrad.kernels.compiler import intrinsic, part
from whygrad.kernels.tile import ARGUMENTS, tile_intrinsic
from whygrad.kernels.vectors import real

TILE32, TILE64 = tile_intrinsic(real("float32")), tile_intrinsic(real("float64"))
SIGNATURE = types.void(*[types.int64] * len(ARGUMENTS))


# Two functions by hand, since Numba's cache knows a function by its name and line.
def _block32(rows, columns, a, a_r, a_k, a_b, b, b_k, b_b, c, c_r, batch, depth, start, bias, relu, mask):
    TILE32((rows, columns, a, a_r, a_k, a_b, b, b_k, b_b, c, c_r, batch, depth, start, bias, relu, mask))


def _block64(rows, columns, a, a_r, a_k, a_b, b, b_k, b_b, c, c_r, batch, depth, start, bias, relu, mask):
    TILE64((rows, columns, a, a_r, a_k, a_b, b, b_k, b_b, c, c_r, batch, depth, start, bias, relu, mask))


#: The compiled blocks by float type.
linked: dict[str, Any] = {}


def link(name: str) -> None:
    """Make ``block`` for the float type ``name`` available to compiled code."""
    if name not in linked:
        function = _block32 if name == "float32" else _block64
        linked[name] = compiled(
            "blocks.block", name, lambda cache: numba.cfunc(SIGNATURE, nopython=True, cache=cache)(function)
        )
        llvmlite.binding.add_symbol(_symbol(name), linked[name].address)


def _symbol(name: str) -> str:
    return f"whygrad_block_{name}"


@intrinsic
def block(context: Any, array: Any, arguments: Any) -> Any:
    """Run the register tile for the float type of ``array`` on a tuple of its ARGUMENTS."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(ARGUMENTS))
        function = cgutils.get_or_insert_function(builder.module, kind, _symbol(array.dtype.name))
        builder.call(function, cgutils.unpack_tuple(builder, values[1], len(ARGUMENTS)))
        return context.get_dummy_value()

    return types.void(array, arguments), codegen


def _of_shape(name: str) -> Any:
    """Return an intrinsic that gives one measure of the tile for the float type of an array, a constant."""

    @intrinsic
    def measure(context: Any, array: Any) -> Any:
        value = getattr(real(array.dtype.name), name)

        def codegen(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
            return ir.Constant(ir.IntType(64), value)

        return types.int64(array), codegen

    return measure


tile_rows, tile_columns, tile_lanes = _of_shape("rows"), _of_shape("columns"), _of_shape("lanes")
number_size = _of_shape("size")


@part
def panel_width(array, filters):
    """Return how many lanes the panels for so many filters have: one vector where that holds them all."""
    return tile_lanes(array) if filters <= tile_lanes(array) else tile_columns(array)
