"""Which expression of a person's function first gives a number that is not finite, from finite ones.

The function is called once while Python tells of every line. Of each statement whose result is not finite the
parts are computed again, innermost first, with what the names stood for then. From the value that comes back
the way leads from name to name to the expression at fault, so that an infinity that does no harm, as in
1/(1+exp(1000)), is passed over.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any

import numpy as np

from whygrad.clock import working_time
from whygrad.diagnosis.adapting import guarded
from whygrad.diagnosis.training.expressions import (
    Culprit,
    Event,
    at_fault,
    bad_parts,
    called,
    code_of,
    finite,
    followed,
    known,
    value_of,
)

#: Seconds that a traced call may take, and lines that are followed.
_PATIENCE, _LINES = 4.0, 200_000
#: Arrays up to this size are copied where a statement is about to write to them.
_SMALL = 200_000
_COMPREHENSIONS = ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>")
_RETURN, _LAMBDA = "return", "<lambda>"


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
        self.began, self.lines = working_time(), 0
        self.statements: dict[CodeType, dict[int, ast.stmt]] = {}
        self.pending: dict[int, tuple[ast.stmt, dict[str, Any]]] = {}
        self.leaving: dict[int, tuple[ast.stmt, dict[str, Any]]] = {}
        self.events: list[Event] = []
        self.raised: Event | None = None

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        del event, argument
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if not followed(file) or name in _COMPREHENSIONS:  # the statement around it is looked into
            return None
        if frame.f_code not in self.statements:
            self.statements[frame.f_code] = _statements(frame.f_code)
        return self.local if self.statements[frame.f_code] else None

    def local(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.lines += 1
        if self.lines > _LINES or working_time() - self.began > _PATIENCE:
            return None
        key = id(frame)
        pending = self.pending.pop(key, None)
        if event == "exception":
            if (
                pending is not None
                and self.raised is None
                and issubclass(argument[0], ArithmeticError | ValueError)
            ):
                self.raised = Event(frame.f_code, key, (), pending[0], pending[1], frame.f_globals, argument[1])
            self.pending[key] = pending if pending is not None else (ast.Pass(), {})
            return self.local
        if event == _RETURN:
            left = self.leaving.pop(key, None)
            pending = pending or left
        elif pending is not None and isinstance(pending[0], ast.Return):
            self.leaving[key], pending = pending, None  # what a with or a finally does comes between
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
                    Event(frame.f_code, id(frame), (_RETURN,), statement, values, frame.f_globals, returned)
                )
            return
        names = _assigned(statement)
        bad = tuple(n for n in names if n in frame.f_locals and not finite(frame.f_locals[n]))
        if bad:
            self.events.append(Event(frame.f_code, id(frame), bad, statement, values, frame.f_globals))

    def culprit(self) -> Culprit | None:
        """Return the expression at fault."""
        if self.raised is not None and not self.events:
            return at_fault(self.raised, raised=True)
        return self._behind(len(self.events) - 1, 0) if self.events else None

    def _behind(self, index: int, depth: int) -> Culprit | None:
        """Follow what is not finite from one statement to the one that it came from."""
        event = self.events[index]
        if depth > 200:
            return None
        beyond: Event | None = None
        for node, _ in bad_parts(value_of(event.statement), event):
            if isinstance(node, ast.Call) and not known(node, event):
                source = self._returned(node, event, index)
                if source is not None:
                    return self._behind(source, depth + 1)
                if not self._followed(node, event):
                    beyond = event
                continue
            if not isinstance(node, ast.Name | ast.Attribute):
                return at_fault(event, node)
            return self._behind_name(node, index, depth)
        if beyond is not None:  # a function that is not followed, of a package
            return at_fault(beyond)
        return self._behind_names(index, depth)

    def _returned(self, node: ast.expr, event: Event, index: int) -> int | None:
        """Return the statement from which a call has returned what is not finite, before a statement."""
        code = code_of(node, event)
        for i in range(index - 1, -1, -1):
            other = self.events[i]
            same = other.code is code if code is not None else other.code.co_name == called(node)
            if _RETURN in other.names and same:
                return i
        return None

    def _followed(self, node: ast.expr, event: Event) -> bool:
        """Return whether what a call runs was followed line by line: then it is known what it returned."""
        code = code_of(node, event)
        if code is not None:
            return bool(self.statements.get(code))
        return any(other.co_name == called(node) and found for other, found in self.statements.items())

    def _behind_name(self, node: ast.expr, index: int, depth: int) -> Culprit | None:
        """Follow what is not finite from a name to the statement that gave it its value."""
        event = self.events[index]
        wanted = node.id if isinstance(node, ast.Name) else _RETURN
        for i in range(index - 1, -1, -1):
            if wanted in self.events[i].names and self.events[i].frame == event.frame:
                return self._behind(i, depth + 1)
        earlier = [i for i in range(index) if self.events[i].frame != event.frame]
        return self._behind(earlier[-1], depth + 1) if earlier else None

    def _behind_names(self, index: int, depth: int) -> Culprit | None:
        """Follow what is not finite by the names that an expression reads, where it cannot be computed again."""
        event = self.events[index]
        value = value_of(event.statement)
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
        if code.co_name == _LAMBDA:
            return _of_lambda(code, first)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        found: dict[int, ast.stmt] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    found.setdefault(line + first - 1, node)
        return found
    return {}


def _of_lambda(code: CodeType, first: int) -> dict[int, ast.stmt]:
    """Return the expression of a lambda as the statement that returns it, by its lines."""
    tree = ast.parse("".join(inspect.findsource(code)[0]))
    places = [(row, column) for row, _, column, _ in code.co_positions() if row and column]
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
        and places
        and (node.body.lineno, node.body.col_offset) <= max(places)
        and max(places) <= (node.body.end_lineno or 0, node.body.end_col_offset or 0)
    ]
    if not around:
        return {}
    body = min(around, key=lambda node: len(ast.unparse(node))).body
    statement = ast.Return(body)
    statement.lineno = body.lineno - first + 1
    return dict.fromkeys(range(body.lineno, (body.end_lineno or body.lineno) + 1), statement)


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
