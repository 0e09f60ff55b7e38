"""What functions remember between calls: their closures, the globals and objects they use, and random generators.

A training is run more than once here, each time from its beginning. What an optimiser written as a closure has
kept, its velocity or its count of steps, has to be as it was at first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

#: Arrays with more entries are data, and are not copied.
_LARGE = 2_000_000
_PLAIN = (int, float, complex, bool, str, bytes, type(None))


class Memory:
    """A copy of what functions remember, which can be put back.

    Args:
        functions: anyone's functions; None among them is passed over.

    Example:
        >>> def counting():
        ...     kept = {"t": 0}
        ...     def step():
        ...         kept["t"] += 1
        ...         return kept["t"]
        ...     return step
        >>> step = counting()
        >>> memory = Memory([step])
        >>> step(), step(), memory.restore(), step()
        (1, 2, None, 1)
    """

    def __init__(self, functions: Iterable[Any]) -> None:
        functions = [f for f in functions if f is not None]
        self.used = bool(functions)  #: whether there was a function to look into
        self._undo: list[Callable[[], None]] = []
        self._seen: set[int] = set()
        self.generators: list[Any] = []
        for function in functions:
            self._function(function, 0)
        self._states = [_state(g) for g in self.generators]

    def restore(self) -> None:
        """Put everything back as it was."""
        for undo in self._undo:
            undo()
        self.redraw()

    def redraw(self) -> None:
        """Put random generators back alone, so that the same numbers are drawn again."""
        for generator, state in zip(self.generators, self._states, strict=True):
            _set_state(generator, deepcopy(state))

    def _function(self, function: Any, depth: int) -> None:
        function = getattr(function, "__wrapped__", function)
        if id(function) in self._seen or depth > 3:
            return
        self._seen.add(id(function))
        if isinstance(function, MethodType):
            self._object(function.__self__, depth)
            function = function.__func__
        if hasattr(function, "func") and hasattr(function, "args"):  # functools.partial
            self._function(function.func, depth + 1)
            for value in (*function.args, *function.keywords.values()):
                self._value(value, depth + 1)
            return
        if not isinstance(function, FunctionType):
            if callable(function) and not isinstance(function, type):
                self._object(function, depth)
                call = vars(type(function)).get("__call__")
                if isinstance(call, FunctionType):
                    self._function(call, depth + 1)
            return
        for cell in function.__closure__ or ():
            self._cell(cell, depth)
        for value in function.__defaults__ or ():
            self._value(value, depth)
        space = function.__globals__
        for name in _names(function.__code__):
            if name in space:
                self._global(space, name, depth)

    def _cell(self, cell: Any, depth: int) -> None:
        try:
            value = cell.cell_contents
        except ValueError:  # empty
            return
        if isinstance(value, _PLAIN):
            self._undo.append(lambda: setattr(cell, "cell_contents", value))
        else:
            self._rebound(value, lambda old: setattr(cell, "cell_contents", old), depth)

    def _global(self, space: dict[str, Any], name: str, depth: int) -> None:
        value = space[name]
        if isinstance(value, _PLAIN):
            self._undo.append(lambda: space.__setitem__(name, value))
        else:
            self._rebound(value, lambda old: space.__setitem__(name, old), depth)

    def _rebound(self, value: Any, put: Callable[[Any], None], depth: int) -> None:
        """Remember which object a name stood for, and what was in it."""
        if isinstance(value, ModuleType):
            if value is np or value.__name__ == "random":
                self._generator(value)
            return
        if isinstance(value, type):
            return
        if not callable(value):
            self._undo.append(lambda: put(value))
        self._value(value, depth)

    def _value(self, value: Any, depth: int) -> None:
        if id(value) in self._seen or depth > 4:
            return
        if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
            self._seen.add(id(value))
            self.generators.append(value)
        elif isinstance(value, FunctionType | MethodType) or (
            hasattr(value, "func") and hasattr(value, "keywords")
        ):
            self._function(value, depth + 1)
        elif isinstance(value, np.ndarray):
            self._seen.add(id(value))
            if value.size <= _LARGE and value.flags.writeable:
                kept = value.copy()
                self._undo.append(lambda: np.copyto(value, kept))
        elif isinstance(value, dict):
            self._seen.add(id(value))
            content = dict(value)
            self._undo.append(partial(_refill, value, content))
            for part in content.values():
                self._value(part, depth + 1)
        elif isinstance(value, list):
            self._seen.add(id(value))
            items = list(value)
            self._undo.append(lambda: value.__setitem__(slice(None), items))
            for part in items[:1000]:
                self._value(part, depth + 1)
        elif isinstance(value, tuple):
            for part in value[:1000]:
                self._value(part, depth + 1)
        elif not isinstance(value, (*_PLAIN, type, ModuleType)):
            self._object(value, depth)

    def _object(self, thing: Any, depth: int) -> None:
        if id(thing) in self._seen or isinstance(thing, ModuleType | type):
            return
        own = getattr(thing, "__dict__", None)
        self._seen.add(id(thing))
        if isinstance(own, dict):
            self._value(own, depth + 1)

    def _generator(self, module: ModuleType) -> None:
        generator = np.random.mtrand._rand if module is np else random._inst
        if id(generator) not in self._seen:
            self._seen.add(id(generator))
            self.generators.append(generator)


def _refill(kept: dict[Any, Any], content: dict[Any, Any]) -> None:
    kept.clear()
    kept.update(content)


def _names(code: CodeType) -> set[str]:
    """Return the names that a function's code and the functions within it look up."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return deepcopy(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return generator.getstate()


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.setstate(state)
