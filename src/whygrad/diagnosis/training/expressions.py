"""The expressions of a statement that has run, computed again: which of them is the first that is not finite."""

from __future__ import annotations

import ast
import inspect
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

#: Expressions that are not looked into.
_OPAQUE = (ast.Lambda, ast.SetComp, ast.Constant, ast.JoinedStr)
#: Rounds of a comprehension that are looked into.
_ROUNDS = 10_000
#: Stands for the value of a call that is not made again.
_CALL = object()
#: The names of operators.
_OPERATORS = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.MatMult: "matmul",
    ast.FloorDiv: "divide",
    ast.Mod: "divide",
}

#: What Python brings that changes nothing and gives the same again, and such methods of its containers.
_BUILT_IN = (abs, dict, enumerate, float, int, len, list, max, min, pow, range, round, sorted, sum, tuple, zip)
_READERS = ("copy", "count", "get", "index", "items", "keys", "values")
#: The folders of Python's own modules, and of this package.
_PYTHON, _PACKAGE = str(Path(sys.base_prefix) / "lib"), str(Path(__file__).parents[2]) + os.sep


@dataclass(frozen=True)
class Culprit:
    """An expression that is not finite although all that it is made of is."""

    expression: str  #: "np.log(p[np.arange(n), t])"
    operation: str  #: "log", "exp", "divide", "matmul"
    operands: tuple[Any, ...]  #: their values
    names: tuple[str, ...]  #: their texts
    value: Any
    function: str
    file: str
    line: int
    source: str  #: of the function


@dataclass
class Event:
    """A statement that ran, with what its names stood for."""

    code: CodeType
    frame: int
    names: tuple[str, ...]
    statement: ast.stmt
    values: dict[str, Any]
    space: dict[str, Any]
    result: Any = None


def finite(value: Any) -> bool:
    """Return whether there is no NaN and no infinity in a value, as far as it holds floats."""
    if isinstance(value, np.ndarray | np.floating):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, tuple | list):
        return all(finite(part) for part in value[:100])
    if isinstance(value, Mapping):
        return all(finite(part) for part in value.values())
    return True


def at_fault(event: Event, part: ast.expr | None = None, *, raised: bool = False) -> Culprit | None:
    """Return the expression of a statement that is not finite, or that raises, with what it is made of.

    Args:
        event: the statement.
        part: the expression, where it is known; else the first one that is not finite.
        raised: whether it is the one that raises.
    """
    value = value_of(event.statement)
    found = (part, _quiet(part, event)) if part is not None else first_bad(value, event)
    if raised:
        found = _raising(value, event)
    if found is None:
        return None
    node, result = found
    operation, operands = _parts(node, event)
    first = inspect.getsourcelines(event.code)[1]
    return Culprit(
        expression=ast.unparse(node),
        operation=operation,
        operands=tuple(_quiet(o, event) for o in operands),
        names=tuple(ast.unparse(o) for o in operands),
        value=result,
        function=event.code.co_name,
        file=Path(event.code.co_filename).name,
        line=event.statement.lineno + first - 1,
        source=inspect.getsource(event.code),
    )


def _parts(node: ast.expr, event: Event) -> tuple[str, list[ast.expr]]:
    """Return the name of what an expression does, and what it does it to."""
    if isinstance(node, ast.BinOp):
        return _OPERATORS.get(type(node.op), "operation"), [node.left, node.right]
    if isinstance(node, ast.Call):
        function = node.func
        method = isinstance(function, ast.Attribute) and not isinstance(_quiet(function.value, event), type(np))
        owner = [function.value] if isinstance(function, ast.Attribute) and method else []
        return called(node) or "call", [*owner, *node.args]
    return type(node).__name__.lower(), [node.operand] if isinstance(node, ast.UnaryOp) else []


def first_bad(node: ast.AST | None, event: Event) -> tuple[ast.expr, Any] | None:
    """Return the innermost expression, in the order of computing, whose value is not finite."""
    return next(bad_parts(node, event), None)


def bad_parts(node: ast.AST | None, event: Event) -> Iterator[tuple[ast.expr, Any]]:
    """Yield expressions whose values are not finite, or calls whose values may not be, innermost first.

    What is within a finite expression, as an infinity that np.where leaves out, does no harm and is passed over.
    """
    if node is None or not isinstance(node, ast.expr) or isinstance(node, _OPAQUE):
        return
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
        for _ in _rounds(node.generators, event):
            yield from bad_parts(_element(node), event)
        return
    calls = isinstance(node, ast.Call) and not known(node, event)
    value = _CALL if calls else _quiet(node, event)
    numbers = isinstance(value, np.ndarray | np.floating | float | tuple | list | dict)
    if numbers and finite(value):
        return
    for child in _computed(node, event):
        yield from bad_parts(child, event)
    if calls:
        yield (node, None)
    elif numbers:
        yield (node, value)


def _computed(node: ast.expr, event: Event) -> Iterator[ast.AST | None]:
    """Yield the parts of an expression that are computed for it, in order."""
    if isinstance(node, ast.IfExp):
        yield node.test
        yield node.body if _quiet(node.test, event) else node.orelse
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(node, ast.Call) and child is node.func:
            yield node.func.value if isinstance(node.func, ast.Attribute) else None
        else:
            yield child.value if isinstance(child, ast.keyword) else child


def _element(node: ast.ListComp | ast.GeneratorExp | ast.DictComp) -> ast.expr:
    return node.value if isinstance(node, ast.DictComp) else node.elt


def _rounds(loops: Sequence[ast.comprehension], event: Event) -> Iterator[None]:
    """Go through the rounds of a comprehension; in each of them its variables have their values in the event."""
    if not loops:
        yield
        return
    kept = dict(event.values)
    with suppress(TypeError, ValueError):
        for item in islice(_quiet(loops[0].iter, event), _ROUNDS):
            _bind(loops[0].target, item, event.values)
            if all(_quiet(condition, event) for condition in loops[0].ifs):
                yield from _rounds(loops[1:], event)
    event.values.clear()
    event.values.update(kept)


def _bind(target: ast.expr, item: Any, values: dict[str, Any]) -> None:
    """Give the variables of a loop their values."""
    if isinstance(target, ast.Name):
        values[target.id] = item
    elif isinstance(target, ast.Tuple | ast.List):
        for part, value in zip(target.elts, item, strict=True):
            _bind(part, value, values)


def _raising(node: ast.AST | None, event: Event) -> tuple[ast.expr, Any] | None:
    """Return the innermost expression that raises."""
    if node is None or not isinstance(node, ast.expr) or isinstance(node, _OPAQUE):
        return None
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
        parts = (_raising(_element(node), event) for _ in _rounds(node.generators, event))
    else:
        parts = (_raising(child, event) for child in _computed(node, event))
    within = next((found for found in parts if found is not None), None)
    if within is not None or (isinstance(node, ast.Call) and not known(node, event)):
        return within
    try:
        _evaluated(node, event)
    except (ArithmeticError, ValueError) as error:
        return (node, error)
    except Exception:
        return None
    return None


def known(node: ast.Call, event: Event) -> bool:
    """Whether a call may be made again: of NumPy, an array or a number, of a package, or of what Python brings."""
    with suppress(Exception):
        function = _evaluated(node.func, event)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ndarray | np.generic | float | int):
            return True
        if isinstance(owner, dict | list | tuple):
            return function.__name__ in _READERS
        module = getattr(function, "__module__", None) or ""
        return (
            isinstance(function, np.ufunc)
            or module.split(".")[0] in ("numpy", "math")
            or (isinstance(function, FunctionType) and not followed(function.__code__.co_filename))
            or any(function is one for one in _BUILT_IN)
        )
    return False


def followed(file: str) -> bool:
    """Whether a file is a person's own, and none of a package, of this one or of Python."""
    if "site-packages" in Path(file).parts:
        return False
    return not file.startswith(("<frozen", _PYTHON, _PACKAGE))


def called(node: ast.expr) -> str:
    """Return the name of the function that a call calls."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def code_of(node: ast.expr, event: Event) -> CodeType | None:
    """Return the code that a call runs, where its function can be had by evaluating what it is called by."""
    function = _quiet(node.func, event) if isinstance(node, ast.Call) else None
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__wrapped__", function)
    if function is not None and not isinstance(function, FunctionType | MethodType | type):
        function = getattr(function, "__call__", None)  # noqa: B004 - an object that is called as a function
    function = getattr(function, "__func__", function)
    return function.__code__ if isinstance(function, FunctionType) else None


def value_of(statement: ast.stmt) -> ast.expr | None:
    """Return the expression whose value a statement assigns or returns."""
    if isinstance(statement, ast.AugAssign):
        target = ast.parse(ast.unparse(statement.target), mode="eval").body
        return ast.copy_location(ast.BinOp(target, statement.op, statement.value), statement.value)
    return getattr(statement, "value", None)


def _evaluated(node: ast.expr, event: Event) -> Any:
    expression = ast.fix_missing_locations(ast.Expression(node))
    space = {**event.space, **event.values}
    with np.errstate(all="ignore"):
        return eval(compile(expression, "<expression>", "eval"), space)  # noqa: S307 - the person's own expression, which has just run


def _quiet(node: ast.expr, event: Event) -> Any:
    with suppress(Exception):
        return _evaluated(node, event)
    return None
