"""What the vector unit of this machine can hold, read from the target that Numba compiles for."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core.registry import cpu_target

REALS = {"float32": (ir.FloatType(), 4, numba.float32), "float64": (ir.DoubleType(), 8, numba.float64)}


VECTORS = 2  #: vectors a row of the largest register tile


class Real(NamedTuple):
    """A floating-point type with the shapes that suit the machine's vector registers."""

    name: str
    scalar: ir.Type
    size: int  #: bytes of one number
    type: Any  #: the type's name in Numba
    lanes: int  #: numbers in one vector register
    rows: int  #: rows of the largest register tile
    vectors: int  #: vectors a row of it

    @property
    def columns(self) -> int:
        """Columns of the largest register tile."""
        return self.lanes * self.vectors


@cache
def real(name: str) -> Real:
    """Return the float type ``name`` ("float32" or "float64") with this machine's tile.

    A tile keeps rows x vectors sums in registers, beside one vector a column of B and one of A. AVX-512 and NEON
    have 32 registers, AVX2 and SSE have 16. More vectors a row than two would leave too few rows to hide the
    loads of B; fewer rows than rows x vectors ≥ 8 would wait for each sum.
    """
    scalar, size, kind = REALS[name]
    width, registers = _vector_unit()
    rows = (registers - 4) // VECTORS
    return Real(name, scalar, size, kind, max(1, width // size), rows, VECTORS)


@cache
def lanes_of(dtype: np.dtype[Any]) -> int:
    """Return how many numbers of a dtype one vector register holds."""
    return real(dtype.name).lanes  # a name that NumPy puts together at every call


def _vector_unit() -> tuple[int, int]:
    """Return the bytes of a vector register and how many of them there are."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    present = set(features.split(","))
    if "+avx512f" in present:
        return 64, 32
    if "+avx2" in present and "+fma" in present:
        return 32, 16
    if triple.startswith(("aarch64", "arm64")):
        return 16, 32
    return 16, 16
