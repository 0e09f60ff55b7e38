"""Which expression of a person's function first gives a number that is not finite, from finite ones.

The function is called once while Python tells of every line. Of each statement whose result is not finite the
parts are computed again, innermost first, with what the names stood for then. From the value that comes back
the way leads from name to name to the expression at fault, so that an infinity that does no harm, as in
1/(1+exp(1000)), is passed over.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from whygrad.diagnosis.adapting import guarded

#: Seconds that a traced call may take, and lines that are followed.
_PATIENCE, _LINES = 4.0, 200_000
#: Arrays up to this size are copied where a statement is about to write to them.
_SMALL = 200_000
_OPAQUE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Constant, ast.JoinedStr)
_RETURN = "return"


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
class _Event:
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


def first_not_finite(function: Callable[..., Any], *arguments: Any) -> Culprit | None:
    """Return the expression at fault in a call that gives, or fails over, a number that is not finite.

    Example:
        >>> def loss(z):
        ...     p = np.exp(z)
        ...     return np.log(p - 1).sum()
        >>> first_not_finite(loss, np.array([1.0, 0.0])).expression
        'np.log(p - 1)'
    """
    tracer = _Tracer()
    before = sys.gettrace()
    sys.settrace(tracer.call)
    try:
        _, error, _, _ = guarded(lambda: function(*arguments))
    finally:
        sys.settrace(before)
    del error
    return tracer.culprit()


class _Tracer:
    def __init__(self) -> None:
        self.began, self.lines = time.monotonic(), 0
        self.statements: dict[CodeType, dict[int, ast.stmt]] = {}
        self.pending: dict[int, tuple[ast.stmt, dict[str, Any]]] = {}
        self.events: list[_Event] = []
        self.raised: _Event | None = None

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        del event, argument
        parts = set(Path(frame.f_code.co_filename).parts)
        if {"site-packages", "whygrad"} & parts or frame.f_code.co_filename.startswith(
            ("<frozen", sys.base_prefix + "/lib")
        ):
            return None
        if frame.f_code not in self.statements:
            self.statements[frame.f_code] = _statements(frame.f_code)
        return self.local if self.statements[frame.f_code] else None

    def local(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.lines += 1
        if self.lines > _LINES or time.monotonic() - self.began > _PATIENCE:
            return None
        key = id(frame)
        pending = self.pending.pop(key, None)
        if event == "exception":
            if (
                pending is not None
                and self.raised is None
                and issubclass(argument[0], ArithmeticError | ValueError)
            ):
                self.raised = _Event(frame.f_code, key, (), pending[0], pending[1], frame.f_globals, argument[1])
            self.pending[key] = pending if pending is not None else (ast.Pass(), {})
            return self.local
        if pending is not None:
            self._after(frame, *pending, returned=argument if event == _RETURN else None)
        if event == "line":
            statement = self.statements[frame.f_code].get(frame.f_lineno)
            if statement is not None:
                self.pending[key] = (statement, _snapshot(frame.f_locals, statement))
        return self.local

    def _after(self, frame: FrameType, statement: ast.stmt, values: dict[str, Any], *, returned: Any) -> None:
        """Note a statement whose result is not finite."""
        if isinstance(statement, ast.Return):
            if not finite(returned):
                self.events.append(
                    _Event(frame.f_code, id(frame), (_RETURN,), statement, values, frame.f_globals, returned)
                )
            return
        names = _assigned(statement)
        bad = tuple(n for n in names if n in frame.f_locals and not finite(frame.f_locals[n]))
        if bad:
            self.events.append(_Event(frame.f_code, id(frame), bad, statement, values, frame.f_globals))

    def culprit(self) -> Culprit | None:
        """Return the expression at fault."""
        if self.raised is not None and not self.events:
            return _at_fault(self.raised, raised=True)
        return self._behind(len(self.events) - 1, 0) if self.events else None

    def _behind(self, index: int, depth: int) -> Culprit | None:
        """Follow what is not finite from one statement to the one that it came from."""
        event = self.events[index]
        found = _first(_value_of(event.statement), event)
        if depth > 200:
            return None
        if found is None:
            return self._behind_names(index, depth)
        node, _ = found
        calls = isinstance(node, ast.Call) and not _known(node, event)
        if not calls and not isinstance(node, ast.Name | ast.Attribute):
            return _at_fault(event)
        wanted = node.id if isinstance(node, ast.Name) else _RETURN
        for i in range(index - 1, -1, -1):
            other = self.events[i]
            if wanted in other.names and (
                other.code.co_name == _called(node) if calls else other.frame == event.frame
            ):
                return self._behind(i, depth + 1)
        if calls:  # a function that is not followed, of a package
            return _at_fault(event)
        earlier = [i for i in range(index) if self.events[i].frame != event.frame]
        return self._behind(earlier[-1], depth + 1) if earlier else None

    def _behind_names(self, index: int, depth: int) -> Culprit | None:
        """Follow what is not finite by the names that an expression reads, where it cannot be computed again."""
        event = self.events[index]
        value = _value_of(event.statement)
        read = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)} if value is not None else set()
        for i in range(index - 1, -1, -1):
            other = self.events[i]
            if (other.frame == event.frame and read & set(other.names)) or (
                other.frame != event.frame and _RETURN in other.names
            ):
                return self._behind(i, depth + 1)
        return None


def _statements(code: CodeType) -> dict[int, ast.stmt]:
    """Return the statements of a function by their lines."""
    with suppress(OSError, TypeError, SyntaxError, IndentationError):
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        found: dict[int, ast.stmt] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    found.setdefault(line + first - 1, node)
        return found
    return {}


def _assigned(statement: ast.stmt) -> tuple[str, ...]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    names: list[str] = []
    for target in targets:
        for node in ast.walk(target) if target is not None else ():
            if isinstance(node, ast.Name):
                names.append(node.id)
    return tuple(dict.fromkeys(names))


def _snapshot(values: Mapping[str, Any], statement: ast.stmt) -> dict[str, Any]:
    """Return what names stand for, with copies of what the statement writes to."""
    found = dict(values)
    writes = isinstance(statement, ast.AugAssign) or (
        isinstance(statement, ast.Assign) and any(not isinstance(t, ast.Name) for t in statement.targets)
    )
    if writes:
        for name in _assigned(statement):
            value = found.get(name)
            if isinstance(value, np.ndarray) and value.size <= _SMALL:
                found[name] = value.copy()
    return found


def _value_of(statement: ast.stmt) -> ast.expr | None:
    if isinstance(statement, ast.AugAssign):
        target = ast.parse(ast.unparse(statement.target), mode="eval").body
        return ast.copy_location(ast.BinOp(target, statement.op, statement.value), statement.value)
    return getattr(statement, "value", None)


def _called(node: ast.expr) -> str:
    """Return the name of the function that a call calls."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _known(node: ast.Call, event: _Event) -> bool:
    """Whether a call is one of NumPy, of an array or of a number, which may be made again."""
    with suppress(Exception):
        function = _evaluated(node.func, event)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ndarray | np.generic | float | int):
            return True
        module = getattr(function, "__module__", None) or ""
        return (
            isinstance(function, np.ufunc)
            or module.split(".")[0] in ("numpy", "math")
            or function in (float, abs, sum, max, min, len, range, int)
        )
    return False


def _evaluated(node: ast.expr, event: _Event) -> Any:
    expression = ast.fix_missing_locations(ast.Expression(node))
    space = {**event.space, **event.values}
    with np.errstate(all="ignore"):
        return eval(compile(expression, "<expression>", "eval"), space)  # noqa: S307 - the person's own expression, which has just run


def _first(node: ast.AST | None, event: _Event) -> tuple[ast.expr, Any] | None:
    """Return the innermost expression, in the order of computing, whose value is not finite."""
    if node is None or not isinstance(node, ast.expr) or isinstance(node, _OPAQUE):
        return None
    for child in ast.iter_child_nodes(node):
        inner = child.value if isinstance(child, ast.keyword) else child
        if isinstance(node, ast.Call) and inner is node.func:
            inner = node.func.value if isinstance(node.func, ast.Attribute) else None  # type: ignore[assignment]
        found = _first(inner, event)
        if found is not None:
            return found
    if isinstance(node, ast.Call) and not _known(node, event):
        return (node, None)
    with suppress(Exception):
        value = _evaluated(node, event)
        if not isinstance(value, np.ndarray | np.floating | float | tuple | list | dict) or finite(value):
            return None
        return (node, value)
    return None


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


def _at_fault(event: _Event, *, raised: bool = False) -> Culprit | None:
    found = _raising(_value_of(event.statement), event) if raised else _first(_value_of(event.statement), event)
    if found is None:
        return None
    node, value = found
    operands: list[ast.expr] = []
    operation = type(node).__name__.lower()
    if isinstance(node, ast.BinOp):
        operation, operands = _OPERATORS.get(type(node.op), "operation"), [node.left, node.right]
    elif isinstance(node, ast.Call):
        function = node.func
        operation = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "call")
        operands = list(node.args)
        if isinstance(function, ast.Attribute) and not isinstance(_quiet(function.value, event), type(np)):
            operands = [function.value, *operands]
    elif isinstance(node, ast.UnaryOp):
        operands = [node.operand]
    first = inspect.getsourcelines(event.code)[1]
    return Culprit(
        expression=ast.unparse(node),
        operation=operation,
        operands=tuple(_quiet(o, event) for o in operands),
        names=tuple(ast.unparse(o) for o in operands),
        value=value,
        function=event.code.co_name,
        file=Path(event.code.co_filename).name,
        line=event.statement.lineno + first - 1,
        source=inspect.getsource(event.code),
    )


def _raising(node: ast.AST | None, event: _Event) -> tuple[ast.expr, Any] | None:
    """Return the innermost expression that raises."""
    if node is None or not isinstance(node, ast.expr) or isinstance(node, _OPAQUE):
        return None
    for child in ast.iter_child_nodes(node):
        found = _raising(child.value if isinstance(child, ast.keyword) else child, event)
        if found is not None:
            return found
    if isinstance(node, ast.Call) and not _known(node, event):
        return None
    try:
        _evaluated(node, event)
    except (ArithmeticError, ValueError) as error:
        return (node, error)
    except Exception:
        return None
    return None


def _quiet(node: ast.expr, event: _Event) -> Any:
    with suppress(Exception):
        return _evaluated(node, event)
    return None
