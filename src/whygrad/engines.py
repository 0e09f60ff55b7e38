"""The two engines: the formula in NumPy (``definition``), and its compiled twin (``compiled``, the default)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import Any, Literal, get_args

from whygrad.errors import OptionError

EngineName = Literal["definition", "compiled"]

_current: ContextVar[EngineName] = ContextVar("engine", default="compiled")


def current_engine() -> EngineName:
    """Return the name of the engine that operations use now."""
    return _current.get()


@contextmanager
def engine(name: EngineName) -> Iterator[None]:
    """Let the operations within this block, and in this thread, use one engine.

    A pullback uses the engine of the block in which it is called, whichever the forward pass used.

    Args:
        name: "definition", the formulas in NumPy, or "compiled", the kernels, which is the default.

    Example:
        >>> from whygrad.ops import relu
        >>> with engine("definition"):
        ...     y, pullback = relu(np.array([-1., 2.]))
        >>> y
        array([0., 2.])
    """
    if name not in get_args(EngineName):
        raise OptionError("engine", f"one of {', '.join(get_args(EngineName))}", f"{name!r}", "change the name")
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


def twin(operation: str) -> Any:
    """Return the module of an operation's compiled twin; None where the definition is to be used."""
    return _module(operation) if _current.get() == "compiled" else None


@cache
def _module(operation: str) -> Any:
    return import_module(f"whygrad.kernels.{operation}")
