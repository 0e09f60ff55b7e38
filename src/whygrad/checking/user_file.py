"""A person's own Python file: which of its functions are to be checked, and at which inputs."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import invalidate_caches
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from whygrad.errors import FileError, OptionError

#: The names that are looked for, in this order.
PAIRS = (("forward", "backward"), ("loss", "gradient"), ("f", "gradient"), ("f", "grad"))
#: The name of one function that returns a loss and its gradient.
TOGETHER = "loss_and_gradient"
#: The names that hold the inputs.
INPUTS = ("inputs", "INPUTS")

#: How many functions of a file, or inputs of a function, an error lists.
_LISTED = 12


class UserFunctions(NamedTuple):
    """What a file says is to be checked."""

    f: Callable[..., Any]  #: gives the value; if there is no backward, the value and its pullback or gradient
    backward: Callable[..., Any] | None
    inputs: dict[str, Any]  #: by the names of f's parameters, in their order
    options: dict[str, Any]  #: further arguments for ``check_gradient``


class _FreshLoader(SourceFileLoader):
    """Reads the source itself: what lies in ``__pycache__`` may be older, and nothing is written there."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def parse_target(target: str) -> tuple[Path, tuple[str, ...] | None] | None:
    r"""Split ``my_layer.py:forward,backward`` into the file and the names in it; None for what is no Python file.

    Raises:
        OptionError: what follows the file are not one or two names.

    Example:
        >>> path, names = parse_target(r"C:\my_layer.py:conv,conv_backward")
        >>> names
        ('conv', 'conv_backward')
        >>> parse_target("my_layer.py")[1] is None, parse_target("conv2d") is None
        (True, True)
    """
    if target.lower().endswith(".py"):  # also C:\my_layer.py, whose colon belongs to the drive
        return Path(target), None
    found = re.fullmatch(r"(?s)(.*\.py):([^/\\]*)", target, re.IGNORECASE)
    if found is None:
        return None
    path, rest = found.groups()
    names = tuple(name.strip() for name in rest.split(","))
    if len(names) > 2 or not all(name.isidentifier() for name in names):
        remedy = f"write {Path(path).name}:forward,backward or {Path(path).name}:function"
        raise OptionError("target", "one name or two after the colon", repr(rest), remedy)
    return Path(path), names


def load_user_file(path: str | Path, names: Sequence[str] | None = None, *, seed: int = 0) -> UserFunctions:
    r"""Import a Python file and find in it what is to be checked.

    Without ``names`` these are looked for: ``forward`` and ``backward``, ``loss`` and ``gradient``, ``f`` and
    ``gradient``, ``f`` and ``grad``, ``loss_and_gradient``, or the only class with the methods ``forward`` and
    ``backward`` that can be made without arguments. The inputs are what ``inputs`` in the file is, or returns: a
    dictionary by name, a tuple or one array. As a function it may take ``rng``, a generator of random numbers.

    The file's folder is on ``sys.path`` while it is imported. Modules that it imports from there are forgotten
    again, so that the next call reads them anew.

    Args:
        path: the file.
        names: of the function and of its gradient or backward pass; one name for a function that gives both, or
            for a class.
        seed: of ``rng``.

    Raises:
        OptionError: there is no such file, or no such function in it.
        FileError: the file cannot be imported, or says no inputs; one sentence, with the line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "square.py"
        ...     _ = file.write_text("inputs = 3.0\ndef f(x): return x * x\ndef grad(x): return 2 * x\n")
        ...     functions = load_user_file(file)
        >>> functions.inputs, functions.f(3.0), functions.backward(3.0)
        ({'x': 3.0}, 9.0, 6.0)
    """
    path = Path(path)
    if not path.is_file():
        raise OptionError(str(path), "a Python file", "a folder" if path.is_dir() else "none", _other_files(path))
    module = import_user_file(path)
    f, backward = _named(module, path, names) if names is not None else _found(module, path)
    return UserFunctions(f, backward, _inputs(module, path, f, seed), {"subject": path.name})


def _other_files(path: Path) -> str:
    """Return what to do about a file that is not there."""
    with suppress(OSError):
        there = [file.name for file in path.parent.glob("*.py")]
        if close := difflib.get_close_matches(path.name, there, n=1):
            return f"is it {path.with_name(close[0])}?"
    return "check the path"


def import_user_file(path: Path) -> ModuleType:
    """Import a file under a name that no other module has.

    Raises:
        FileError: the file cannot be imported; one sentence, with the line.
    """
    name = f"_checked_by_whygrad_{path.stem}"
    spec = spec_from_file_location(name, path, loader=_FreshLoader(name, str(path.resolve())))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses, for one, look their module up
    try:
        with _folder_first(path.resolve().parent), _explained(path, "a file that can be imported"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _folder_first(folder: Path) -> Iterator[None]:
    """Let imports find what lies in a folder, and forget it afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    invalidate_caches()  # of what lies in which folder
    try:
        yield
    finally:
        with suppress(ValueError):  # the file may have changed the list itself
            sys.path.remove(str(folder))
        own = {
            name for name in set(sys.modules) - before if "." not in name and _lies_in(sys.modules[name], folder)
        }
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in own:
                del sys.modules[name]


def _lies_in(module: ModuleType, folder: Path) -> bool:
    """Return whether a module is a file or a package of the folder itself, and not of an environment below it."""
    file = getattr(module, "__file__", None)
    place = Path(file) if file else None
    return place is not None and folder in (
        place.parent,
        *([place.parent.parent] if place.stem == "__init__" else []),
    )


@contextmanager
def _explained(path: Path, expected: str) -> Iterator[None]:
    """Turn what the person's code raises into one sentence with the line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        file, line = _line_of(error, path)
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        received = f"{type(error).__name__}: {message}".rstrip(": ")
        remedy = f"python {path.name} shows where it comes from"
        if isinstance(error, SystemExit):
            remedy = 'put what ends the program under: if __name__ == "__main__":'
        place = f"{file}, line {line}" if line else file
        raise FileError(place, expected, received, remedy) from error


def _line_of(error: BaseException, path: Path) -> tuple[str, int | None]:
    """Return the file and line that an error is about: the deepest one of the person's own file."""
    if isinstance(error, SyntaxError) and error.filename:
        return Path(error.filename).name, error.lineno
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path.resolve())]
    return path.name, frames[-1].lineno if frames else None


def _found(module: ModuleType, path: Path) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """Return the functions that have one of the names that are looked for."""
    for first, second in PAIRS:
        if callable(getattr(module, first, None)) and callable(getattr(module, second, None)):
            return getattr(module, first), getattr(module, second)
    if callable(function := getattr(module, TOGETHER, None)):
        return function, None
    classes = [kind for kind in _own(module, inspect.isclass) if _is_layer(kind)]
    if len(classes) == 1:
        return _methods(classes[0], path)
    functions = [function.__name__ for function in _own(module, inspect.isfunction)]
    guesses = [_closest(name, functions) for name in PAIRS[0]]
    if len(classes) > 1:
        remedy = f"name one of its classes: {path.name}:{classes[0].__name__}"
    elif None not in guesses and guesses[0] != guesses[1]:
        remedy = f"name them: {path.name}:{guesses[0]},{guesses[1]}"
    else:
        remedy = f"name yours: {path.name}:FUNCTION,BACKWARD"
    expected = "functions forward and backward, loss and gradient, or f and grad"
    raise OptionError(path.name, expected, _list(functions), remedy)


def _named(
    module: ModuleType, path: Path, names: Sequence[str]
) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """Return the functions, or the methods of the class, of these names."""
    missing = [name for name in names if not callable(getattr(module, name, None))]
    if missing:
        there = [thing.__name__ for thing in _own(module, lambda x: inspect.isfunction(x) or inspect.isclass(x))]
        guesses = [_closest(name, there) if name in missing else name for name in names]
        known = None not in guesses
        remedy = f"try {path.name}:{','.join(map(str, guesses))}" if known else "check the names"
        raise OptionError(path.name, f"a function {' and '.join(missing)}", _list(there), remedy)
    first = getattr(module, names[0])
    if len(names) == 1 and inspect.isclass(first):
        if not _is_layer(first):
            remedy = "add them, or name two functions"
            raise OptionError(path.name, f"methods forward and backward of {names[0]}", "another class", remedy)
        return _methods(first, path)
    return first, getattr(module, names[1]) if len(names) == 2 else None


def _own(module: ModuleType, kind: Callable[[Any], bool]) -> list[Any]:
    """Return the functions or classes that the file itself defines, in its order."""
    public = [(name, thing) for name, thing in vars(module).items() if not name.startswith("_")]
    return [thing for name, thing in public if kind(thing) and thing.__module__ == module.__name__]


def _is_layer(kind: type) -> bool:
    return callable(getattr(kind, "forward", None)) and callable(getattr(kind, "backward", None))


def _methods(kind: type, path: Path) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the methods of an instance."""
    with _explained(path, f"{kind.__name__}() to be made without arguments"):
        layer: Any = kind()
    return layer.forward, layer.backward


def _closest(name: str, names: Sequence[str]) -> str | None:
    """Return the name that is most like another: conv_forward for forward, bakcward for backward."""
    parts = [other for other in names if name in other.lower()]
    return next(iter(parts or difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    return shown or "a file without functions"


def _inputs(module: ModuleType, path: Path, f: Callable[..., Any], seed: int) -> dict[str, Any]:
    """Return the inputs by name, in the order of the function's parameters where they have their names."""
    required, parameters = _parameters(f, required=True), _parameters(f)
    given = next((getattr(module, name) for name in INPUTS if hasattr(module, name)), None)
    if given is None:
        draws = ", ".join(f'"{name}": rng.normal(size=(2, 3))' for name in required or parameters[:1] or ["x"])
        remedy = f"add, with your own sizes: def inputs(rng): return {{{draws}}}"
        raise FileError(path.name, f"inputs to check {getattr(f, '__name__', 'it')} at", "none", remedy)
    if callable(given):
        takes = _parameters(given)
        random = [np.random.default_rng(seed)] if "rng" in takes[:1] or _parameters(given, required=True) else []
        with _explained(path, "inputs() to return arrays"):
            given = given(*random)
    if isinstance(given, Mapping):
        arrays = {str(name): value for name, value in given.items()}
        in_order = set(required) <= set(arrays) <= set(parameters)
        return {name: arrays[name] for name in parameters if name in arrays} if in_order else arrays
    several = isinstance(given, tuple) or (
        isinstance(given, list) and any(isinstance(x, np.ndarray) for x in given)
    )
    values = list(given) if several else [given]
    names = [*parameters, *(f"input {i + 1}" for i in range(len(parameters), len(values)))]
    return dict(zip(names, values, strict=False))


def _parameters(f: Callable[..., Any], *, required: bool = False) -> list[str]:
    """Return the names of a function's positional parameters."""
    with suppress(TypeError, ValueError):  # built-in functions may have no signature
        parameters = inspect.signature(f).parameters.values()
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [p.name for p in parameters if p.kind in positional and not (required and p.default is not p.empty)]
    return []
