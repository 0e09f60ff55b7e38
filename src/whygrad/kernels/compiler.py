"""Compiling: each kernel once a machine, for each float type, on its first use; later processes load it.

A kernel names the types of its arguments, so that it has exactly one compiled form for each float type, whatever
the memory order of the arrays it is given:

    @kernel(reads(1), writes(1), INT)
    def double(x, y, tasks): ...

    double[x.dtype](x, y, tasks)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeAlias

import numba
import numpy as np
from numba import extending, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from whygrad.kernels.cache import compiled

intrinsic: Any = extending.intrinsic  #: a function that writes its own machine-independent instructions
#: Whether a kernel refuses arguments of other kinds than its own. Tests do so; it costs as much as a small kernel.
checked = False
#: The type of an argument in Numba, or what gives it for a float type.
Kind: TypeAlias = Any

INT = types.int64
DOUBLE = types.float64
BYTES = types.Array(types.uint8, 1, "C")
DOUBLES = types.Array(types.float64, 1, "C")


def reads(ndim: int, *, dense: bool = False) -> Kind:
    """Say that an argument is read: a vector, or an array of more axes in any memory order unless ``dense``."""
    return lambda real: types.Array(real, ndim, "C" if dense or ndim == 1 else "A", readonly=True)


def writes(ndim: int, *, dense: bool = False) -> Kind:
    """Say that an argument is written to: a vector, or an array of more axes likewise."""
    return lambda real: types.Array(real, ndim, "C" if dense or ndim == 1 else "A")


def ints(count: int) -> Kind:
    """Say that an argument is a tuple of so many whole numbers."""
    return types.UniTuple(types.int64, count)


def part(function: Callable[..., Any] | None = None, *, reorder: bool = False) -> Any:
    """Mark a function as part of kernels: compiled into each that uses it.

    Products and sums may be fused. With ``reorder`` sums may also be added up in another order, which lets a
    reduction use the vector unit; it stays the same order from call to call.
    """
    if function is None:
        return lambda f: part(f, reorder=reorder)
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _PartCompiler}
    return numba.njit(**options, **_options(reorder))(function)


class _PartCompiler(Compiler):
    """Compiles a part, which is optimised and made into machine code only within the kernels that use it.

    Numba would do both for every part on its own as well, which takes 40 % of all time.
    """

    def define_pipelines(self) -> Any:
        self.state.library = _PartLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()


class _PartLibrary(JITCodeLibrary):
    """The code of a part, which nobody calls but kernels that it is linked into."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, _name: str) -> int:
        return 0

    @property
    def codegen(self) -> Any:
        return _NoMachineCode


class _NoMachineCode:
    """Stands for the code generator where Numba would tell machine code which module its function is from."""

    @staticmethod
    def set_env(_name: str, _environment: Any) -> None:
        pass


def kernel(*kinds: Kind, reorder: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a kernel of a function whose arguments have these kinds; see the module's text."""
    return lambda function: Kernel(function, kinds, reorder)


def _options(reorder: bool) -> dict[str, Any]:
    return {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"contract", "reassoc", "nsz"} if reorder else {"contract"},
    }


class Kernel(dict[np.dtype[Any], Any]):
    """The compiled forms of one function by float type; a missing one is loaded or compiled when asked for."""

    all: ClassVar[dict[str, Kernel]] = {}  #: every kernel there is by name, in the order of definition

    def __init__(self, function: Callable[..., Any], kinds: tuple[Kind, ...], reorder: bool) -> None:
        super().__init__()
        self.function, self.kinds, self.reorder = function, kinds, reorder
        self._dispatchers: list[Any] = []  # what owns the compiled code
        self.__doc__ = function.__doc__
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        others = sum(other.function is function for other in Kernel.all.values())
        self.name = f"{name}-{others + 1}" if others else name  #: "conv2d.forward", its file's and its own
        Kernel.all[self.name] = self

    def __missing__(self, dtype: np.dtype[Any]) -> Any:
        with _LOCK:
            if _recorded is not None:
                _recorded.append((self, dtype))
                return _do_nothing
            if dtype not in self:
                self[dtype] = self._compile(dtype.name)
            return self[dtype]

    def _compile(self, real: str) -> Any:
        from whygrad.kernels import blocks, threads  # noqa: PLC0415  (they are themselves compiled here)

        threads.link()
        blocks.link(real)
        real_type = getattr(types, real)
        signature = tuple(k if isinstance(k, types.Type) else k(real_type) for k in self.kinds)
        dispatcher = compiled(
            self.name, real, lambda cache: _dispatcher(self.function, signature, self.reorder, cache)
        )
        if checked:
            return dispatcher
        self._dispatchers.append(dispatcher)
        # The dispatcher would look at its arguments, at every call, to find the one form that there is.
        (form,) = dispatcher.overloads.values()
        return form.entry_point


def _dispatcher(function: Callable[..., Any], signature: Any, reorder: bool, cache: bool) -> Any:
    dispatcher = numba.njit(cache=cache, no_cfunc_wrapper=True, **_options(reorder))(function)
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


_LOCK = threading.RLock()
_recorded: list[tuple[Kernel, np.dtype[Any]]] | None = None


def _do_nothing(*_arguments: Any) -> float:
    return 1.0


@contextmanager
def recording() -> Iterator[list[tuple[Kernel, np.dtype[Any]]]]:
    """List the kernels that are missing meanwhile instead of running them; what they write stays undefined."""
    global _recorded
    with _LOCK:
        recorded: list[tuple[Kernel, np.dtype[Any]]] = []
        _recorded = recorded
    try:
        yield recorded
    finally:
        _recorded = None
