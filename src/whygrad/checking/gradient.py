"""``check_gradient``: anyone's gradient of anyone's function."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whygrad import validation
from whygrad.checking import faults
from whygrad.checking.backward import Backward, as_gradient
from whygrad.checking.functions import Evaluated, Function, named_inputs
from whygrad.checking.inputs import check_input
from whygrad.checking.judging import Context
from whygrad.checking.objectives import degenerate, objective_of, swapped
from whygrad.checking.patterns import axis_names
from whygrad.checking.problem import Problem
from whygrad.checking.projections import complex_steps_work
from whygrad.checking.report import Report, Row, Verdict
from whygrad.checking.rounding import allowance
from whygrad.checking.time_limit import Limited
from whygrad.errors import CheckError, OptionError
from whygrad.typing import Array

#: Is told how much is done, of how much, and what is next.
Progress = Callable[[int, int, str], None]


def check_gradient(
    f: Callable[..., Any],
    pullback_or_gradient: Any = None,
    inputs: Any = None,
    *,
    seed: int = 0,
    full: bool | None = None,
    cotangent: Any = None,
    constant_is_right: bool = False,
    time_limit: float = 60.0,
    axes: Mapping[str, Sequence[str]] | None = None,
    sizes: Mapping[str, int] | None = None,
    subject: str = "",
    progress: Progress | None = None,
) -> Report:
    """Compare a claimed gradient with differences of the function, and say what is wrong with it or with the check.

    Args:
        f: a function of the inputs that gives an array y, or a number such as a loss. It may give
            ``(y, pullback)``, ``(y, cache)`` or ``(loss, gradient)``.
        pullback_or_gradient: what is to be checked; leave it out if f returns it. For an array y:
            ``pullback(dy)``, ``backward(dy, *inputs)`` or ``backward(dy, cache)``, giving a gradient for each
            input in order. For a number: ``gradient(*inputs)``, or the gradients themselves.
        inputs: where: arrays by name, a tuple of arrays in order, or one array.
        seed: of the random cotangent dy, which makes one number Σ dy·y of an array, and of directions.
        full: compare every entry; None compares every entry of inputs of up to 2,048 and projects larger ones.
        cotangent: a dy of your own. Ones hide mistakes: through a softmax their true gradient is 0.
        constant_is_right: accept a number that nothing changes, such as the loss of a single class. Most often it
            is a mistake of the check, and any gradient that is zero would pass.
        time_limit: seconds that one call may take.
        axes: names of the axes of inputs, for the sentences: ``{"x": ("sample", "channel", "row", "column")}``.
        sizes: numbers that may explain a constant factor: ``{"the batch size": 64}``.
        subject: what the report calls it; the function's name if left out.
        progress: is told (inputs done, inputs, name).

    Returns:
        A report with a row for each input; ``report.right`` is True if all gradients are right.

    Raises:
        CheckError: f or the backward function fails, returns nothing or the wrong number of gradients, changes
            its shape between calls, or takes longer than the limit.
        OptionError: no inputs, or a backward function whose arguments cannot be understood.

    Example:
        >>> w = np.array([[1., 2.], [3., 4.], [5., 6.]])
        >>> x = np.array([[0.5, -1., 2.]])
        >>> def backward(dy, x, w):
        ...     return dy @ w.T, x.T @ dy
        >>> report = check_gradient(lambda x, w: x @ w, backward, (x, w))
        >>> report.right, report["w"].checked
        (True, 6)
        >>> report = check_gradient(lambda x, w: x @ w, lambda dy, x, w: (dy @ w.T, -x.T @ dy), (x, w))
        >>> print(report["w"].verdict)
        wrong

    Source: central differences as in J. Nocedal and S. Wright, "Numerical Optimization" (2006), section 8.1.
    """
    began = time.perf_counter()
    if not callable(f):
        raise OptionError("check_gradient", "f to be a function", f"{type(f).__name__}", "pass it, not its value")
    limited = Limited(time_limit)
    name = subject or getattr(f, "__name__", type(f).__name__)
    original, by_name = named_inputs(f, inputs)
    check = _Check(
        function=Function(limited.wrap("f", f), list(original), by_name=by_name),
        given=limited.wrap("the backward function", pullback_or_gradient)
        if callable(pullback_or_gradient)
        else pullback_or_gradient,
        original=original,
        cotangent=cotangent,
        constant_is_right=constant_is_right,
        axes=axes or {},
        sizes=sizes or {},
        full=full,
        progress=progress or _say_nothing,
        rng=validation.generator("check_gradient", seed),
    )
    rows = limited.run(check.rows)
    seconds = time.perf_counter() - began
    return Report(subject=name, rows=tuple(rows), evaluations=check.function.calls, seconds=seconds)


def _say_nothing(done: int, total: int, name: str) -> None:
    del done, total, name


@dataclass
class _Check:
    """One check: first of the question, then of the gradients."""

    function: Function
    given: Any
    original: dict[str, Any]  #: the inputs, as they were passed
    cotangent: Any
    constant_is_right: bool
    axes: Mapping[str, Sequence[str]]
    sizes: Mapping[str, int]
    full: bool | None
    progress: Progress
    rng: np.random.Generator

    def rows(self) -> list[Row]:
        """Return the verdicts; all alike where the question itself is at fault."""
        infinite = faults.not_finite(self.original)
        if infinite:
            return self._all(Verdict.NOT_FINITE, infinite)
        at_fault = faults.of_inputs(self.original)
        copies = {name: np.array(x, copy=True) for name, x in self.original.items()}
        first = self.function(self.original)
        said = faults.writes(copies, self.original, "f")
        if said:
            faults.restore(copies, self.original)
            return self._all(Verdict.FAULTY, said)
        said = faults.of_value(first.y) or faults.differs(first, self.function(self.original))
        if said:
            return self._all(Verdict.FAULTY, said, at_fault)
        if not np.isfinite(first.y).all():
            return self._all(Verdict.NOT_FINITE, faults.first_float_error(self.function, self.original))
        backward, dy = Backward(self.given, self.function, first), self._cotangent(first.y)
        claimed, said = self._claims(backward, dy, copies)
        if said:
            return self._all(Verdict.FAULTY, said, at_fault)
        return self._compare(backward, first, dy, claimed, at_fault)

    def _compare(
        self,
        backward: Backward,
        first: Evaluated,
        dy: Array,
        claimed: Mapping[str, Array | None],
        at_fault: Mapping[str, str],
    ) -> list[Row]:
        """Return a row for each input that a gradient is claimed for."""
        exact = {name: x.astype(np.float64) if x.dtype.kind == "f" else x for name, x in self.original.items()}
        y = self.function(exact).y
        usable = {
            name: gradient
            for name, gradient in claimed.items()
            if gradient is not None and name not in at_fault and gradient.shape == exact[name].shape
        }
        value = self._value_at(exact, y)
        if first.y.ndim and not backward.takes_cotangent:
            match = objective_of(value, exact, y, usable, self.rng)
            return self._all(Verdict.FAULTY, faults.no_one_objective(first.y.shape, match), at_fault)
        precision = float(np.finfo(y.dtype).eps) if y.dtype.kind == "f" else 0.0
        problem = Problem(exact, value, y.astype(np.float64), dy.astype(np.float64), usable, precision=precision)
        problem.rounding_measured = backward.again
        problem.complex_steps = complex_steps_work(problem, self.rng)
        rows = []
        for number, (name, gradient) in enumerate(claimed.items()):
            self.progress(number, len(claimed), name)
            if gradient is None and self.original[name].dtype.kind in "iub":
                continue  # labels and the like: nobody claims a gradient
            said = at_fault.get(name)
            if said:
                rows.append(self._empty(name, Verdict.FAULTY, said))
            elif name not in usable:
                rows.append(self._empty(name, Verdict.WRONG, faults.no_gradient(name, gradient, exact[name].shape)))
            else:
                rows.append(self._row(problem, name, backward, dy))
        rows = swapped(problem, rows, self.rng)
        if self.constant_is_right:
            return rows
        return degenerate(problem, rows, self.rng, chosen=self.cotangent is not None)

    def _row(self, problem: Problem, name: str, backward: Backward, dy: Array) -> Row:
        x = self.original[name]
        context = Context(
            axes=self.axes.get(name) or axis_names(name, x.ndim),
            sizes={**_sizes(x, problem.y), **self.sizes},
            others={**problem.inputs, "dy": problem.dy, "y": problem.y},
            allowance=allowance(backward, self.original, dy, name, problem, self.rng),
            remedy=_IN_FLOAT32 if self.function(problem.inputs).y.dtype == np.float32 else "",
        )
        row = check_input(problem, name, context, self.rng, full=self.full)
        if row.verdict is Verdict.WRONG and backward.takes_cotangent and self._ignores(backward, dy, name, problem):
            row = replace(row, findings=(*row.findings, faults.IGNORES_DY))
        return row

    def _ignores(self, backward: Backward, dy: Array, name: str, problem: Problem) -> bool:
        """Return whether a gradient stays the same when dy is replaced by −2·dy."""
        again = backward(self.original, -2 * dy)[name]
        before = problem.claimed[name]
        return again is not None and bool(np.any(before)) and np.array_equal(as_gradient(again), before)

    def _claims(
        self, backward: Backward, dy: Array, copies: Mapping[str, Array]
    ) -> tuple[dict[str, Array | None], str | None]:
        """Return the claimed gradients, and whether the backward function writes to what it was given."""
        given = dy.copy()
        results = backward(self.original, given)
        claimed = {name: None if g is None else as_gradient(g) for name, g in results.items()}
        said = faults.writes(copies, self.original, "the backward function")
        if said:
            faults.restore(copies, self.original)
        if not said and not np.array_equal(given, dy):
            said = "the backward function writes to dy, which belongs to its caller: let it work on a copy"
        return claimed, said

    def _cotangent(self, y: Array) -> Array:
        """Return dy: random, so that no mistake cancels, and exact in float32."""
        real = y.dtype if y.dtype.kind == "f" else np.float64
        if self.cotangent is not None:
            dy = np.array(self.cotangent, real)
            if dy.shape != y.shape:
                remedy = "leave it out for a random one"
                raise CheckError("cotangent", f"the shape of f's value, {y.shape}", f"{dy.shape}", remedy)
            return dy
        if not y.ndim:
            return np.ones((), real)
        signs = self.rng.choice([-1.0, 1.0], y.shape)
        return (signs * self.rng.uniform(0.5, 1.5, y.shape)).astype(np.float32).astype(real)

    def _value_at(self, exact: Mapping[str, Array], first: Array) -> Callable[[str, Array], Any]:
        def value(name: str, array: Array) -> Any:
            y = self.function({**exact, name: array}).y
            faults.same_shape(first, y)
            return y

        return value

    def _all(self, verdict: Verdict, sentence: str, more: Mapping[str, str] | None = None) -> list[Row]:
        return [self._empty(name, verdict, (more or {}).get(name, sentence)) for name in self.original]

    def _empty(self, name: str, verdict: Verdict, sentence: str) -> Row:
        x = self.original[name]
        return Row(name=name, verdict=verdict, shape=x.shape, checked=0, entries=x.size, findings=(sentence,))


_IN_FLOAT32 = "f computes in float32; let it keep the float64 that it is given, and check there"


def _sizes(x: Array, y: Array) -> dict[str, int]:
    """Return numbers that factors often are: sizes of the arrays."""
    sizes = {"the number of entries": x.size}
    if y.ndim > 1:
        sizes["the batch size"] = y.shape[0]
    if y.ndim:
        sizes["the number of outputs"] = y.size
    if y.ndim == 2:
        sizes["the number of outputs of a sample"] = y.shape[1]
    if y.ndim == 4:
        sizes["the number of output positions"] = y.shape[2] * y.shape[3]
        sizes["the number of samples and positions"] = y.shape[0] * y.shape[2] * y.shape[3]
    return sizes
