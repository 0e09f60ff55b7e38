"""Compiling: each kernel once a machine, for each float type, on its first use; later processes load it.

A kernel names the types of its arguments, so that it has exactly one compiled form for each float type, whatever
the memory order of the arrays it is given:

    @kernel(reads(1), writes(1), INT)
    def double(x, y, tasks): ...

    double[x.dtype](x, y, tasks)
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numba
import numpy as np
import platformdirs
from numba import extending, types

intrinsic: Any = extending.intrinsic  #: a function that writes its own machine-independent instructions
LOG = logging.getLogger("whygrad")
#: The type of an argument in Numba, or what gives it for a float type.
Kind: TypeAlias = Any

INT = types.int64
DOUBLE = types.float64
REAL: Kind = lambda real: real  # noqa: E731
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
    return numba.njit(**_options(reorder))(function)


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

    all: ClassVar[list[Kernel]] = []  #: every kernel there is, in the order of definition

    def __init__(self, function: Callable[..., Any], kinds: tuple[Kind, ...], reorder: bool) -> None:
        super().__init__()
        self.function, self.kinds, self.reorder = function, kinds, reorder
        self.__doc__ = function.__doc__
        Kernel.all.append(self)

    @property
    def name(self) -> str:
        """The function's name with its file's: "conv2d.forward"."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"

    def __missing__(self, dtype: np.dtype[Any]) -> Any:
        with _LOCK:
            if dtype not in self:
                self[dtype] = self._compile(np.dtype(dtype).name)
            return self[dtype]

    def _compile(self, real: str) -> Any:
        from whygrad.kernels import blocks, threads  # noqa: PLC0415  (they are themselves compiled here)

        threads.link()
        blocks.link(real)
        real_type = getattr(types, real)
        signature = tuple(k if isinstance(k, types.Type) else k(real_type) for k in self.kinds)
        return compiled(self.name, lambda cache: _dispatcher(self.function, signature, self.reorder, cache))


def _dispatcher(function: Callable[..., Any], signature: Any, reorder: bool, cache: bool) -> Any:
    dispatcher = numba.njit(cache=cache, **_options(reorder))(function)
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


_LOCK = threading.RLock()
_listeners: list[Callable[[str, float], None]] = []
_announced = False


@contextmanager
def listening(listener: Callable[[str, float], None]) -> Iterator[None]:
    """Tell ``listener`` the name and the seconds of each kernel that is compiled or loaded meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def compiled(name: str, make: Callable[[bool], Any]) -> Any:
    """Return ``make(cache)``, a compiled object, from the cache where that works and afresh where it does not."""
    began = time.perf_counter()
    with _caching() as cache:
        if cache:
            try:
                made = make(True)
            except OSError as error:
                _warn(f"cannot keep compiled kernels ({error}): they are compiled anew in every process")
                made = make(False)
        else:
            made = make(False)
    for listener in _listeners:
        listener(name, time.perf_counter() - began)
    return made


@contextmanager
def _caching() -> Iterator[bool]:
    """Point Numba's cache at the project's own folder while a kernel is made; yield whether it can be written."""
    folder = cache_folder()
    if folder is None:
        yield False
        return
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
    try:
        yield True
    finally:
        numba.config.CACHE_DIR = before


_folder: Path | None = None
_looked = False


def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, made if need be; None where none can be written.

    It is $WHYGRAD_CACHE_DIR, else the user's cache folder, and in it a folder named after the kernels' sources:
    Numba itself compares a cached function with its own file alone, not with the files that it is built from.
    """
    global _folder, _looked
    if not _looked:
        _looked = True
        root = Path(os.environ.get("WHYGRAD_CACHE_DIR") or platformdirs.user_cache_dir("whygrad", appauthor=False))
        folder = root / f"kernels-{_fingerprint()}"
        try:
            new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            if new:
                _remove_old(root, keep=folder)
            _folder = folder
        except OSError as error:
            _warn(f"cannot keep compiled kernels in {root} ({error.strerror}): they are compiled in every process")
    return _folder


def _fingerprint() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _remove_old(root: Path, keep: Path, days: float = 14) -> None:
    """Delete folders of kernels whose sources are no more, unless another installation used them lately."""
    for folder in root.glob("kernels-*"):
        if folder != keep and time.time() - folder.stat().st_mtime > days * 86400:
            shutil.rmtree(folder, ignore_errors=True)


def _warn(text: str) -> None:
    warnings.warn(f"whygrad: {text}; set WHYGRAD_CACHE_DIR to a folder that can be written", RuntimeWarning, 2)
