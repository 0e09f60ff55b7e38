"""``check``: the gradients of a Function or a module against differences, and asked for in many ways."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from whygrad.checking import Report, Verdict, check_gradient
from whygrad.checking.functions import called as protected
from whygrad.checking.gradient import Progress
from whygrad.checking.time_limit import Limited
from whygrad.interop.torch.calling import Called, Tensors
from whygrad.interop.torch.gradients import Gradients, chosen, differentiable, gradients, misshapen, refused_shape
from whygrad.interop.torch.habits import Habits
from whygrad.typing import Array

_NONE = "backward gives None in its place, which stands for zero; its true gradient is not zero: return it"

#: So many calls at most are made in one trial.
_CALLS = 4
#: Up to so many entries each is compared.
_EVERY = 4096


def check(
    function_or_module: Any,
    inputs: Any,
    *,
    seed: int = 0,
    full: bool | None = None,
    habits: bool = True,
    time_limit: float = 60.0,
    axes: Mapping[str, Sequence[str]] | None = None,
    sizes: Mapping[str, int] | None = None,
    subject: str = "",
    progress: Progress | None = None,
) -> Report:
    """Compare the gradients of a backward pass written for PyTorch with differences of its forward pass.

    The numbers are compared in float64. Where they are right, the same gradients are asked for as PyTorch asks in
    practice: in float32, of tensors that are not contiguous, with one ``dy`` expanded over all entries, for some of
    the inputs only, through one of several outputs only, twice, after another call, and after an input was changed
    in place. Whatever differs is wrong, and the report says when.

    Args:
        function_or_module: the class of a ``torch.autograd.Function``, an ``nn.Module``, with its own method
            ``backward`` or without, or any function of tensors. It is not changed, nor are its parameters.
        inputs: the arguments: one, a tuple in order, or a mapping by name. Tensors of real numbers are checked,
            or only those that require a gradient if any does; so are a module's parameters. Labels, sizes and
            whatever else stay as they are.
        seed: of the random ``dy`` and of PyTorch's random numbers, which are the same in every call.
        full: compare every entry; False compares along random directions. None compares every entry unless there
            are more than 4,096 in all.
        habits: False to compare the numbers in float64 only.
        time_limit: seconds that one call may take.
        axes: names of the axes of inputs, for the sentences.
        sizes: numbers that may explain a constant factor: ``{"the batch size": 64}``.
        subject: what the report calls it; its name if left out.
        progress: is told (inputs done, inputs, name).

    Returns:
        The report of ``whygrad.check_gradient``, a row for each input and parameter; ``report.right`` is True if
        all gradients are right.

    Raises:
        CheckError: forward or backward fails, or gives nothing that has a gradient.
        OptionError: nothing that can be called, or no tensor to check.

    Example:
        >>> class Square(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...     @staticmethod
        ...     def backward(ctx, dy):
        ...         x, = ctx.saved_tensors
        ...         return x * dy
        >>> report = check(Square, torch.tensor([[1.0, -2.0, 3.0]]))
        >>> print(report["x"].verdict, report["x"].findings[0])
        wrong wrong in all 3 entries

    Source: what PyTorch asks of a Function stands in "Extending PyTorch" of its documentation.
    """
    began = time.perf_counter()
    called = Called(function_or_module, inputs, seed=seed)
    asked = _Asked(called)
    total = sum(t.numel() for t in called.tensors.values())
    report = asked.compare(
        seed=seed,
        full=total <= _EVERY if full is None else full,
        time_limit=time_limit,
        axes=axes,
        sizes=sizes,
        subject=subject or called.name,
        progress=progress,
    )
    rows, remarks, evaluations = list(report.rows), list(report.findings), report.evaluations
    if habits and all(row.verdict.good or row.verdict is Verdict.UNDECIDED for row in rows):
        limited = Limited(_CALLS * time_limit)
        tried = Habits(called, asked.exact(), rows, limited, seed)
        rows = limited.run(lambda: protected("forward or backward", tried.rows))
        remarks += tried.remarks
        evaluations += tried.calls
    return replace(
        report,
        rows=tuple(rows),
        findings=tuple(remarks),
        evaluations=evaluations,
        seconds=time.perf_counter() - began,
        details={"torch": torch.__version__, "seed": seed},
    )


class _Asked:
    """A function of tensors as ``check_gradient`` wants it: of arrays, with its pullback."""

    def __init__(self, called: Called) -> None:
        self.called = called
        self.none: set[str] = set()
        self._at: Tensors = {}

    def exact(self) -> Tensors:
        """Return the tensors that are looked at in float64, each with memory of its own."""
        return {name: t.to(torch.float64, copy=True).contiguous() for name, t in self.called.tensors.items()}

    def compare(self, **options: Any) -> Report:
        """Return the report on the numbers."""
        called, tensors = self.called, self.exact()
        called.differentiable = differentiable(called, tensors)
        arrays = {name: t.cpu().numpy() for name, t in tensors.items()}
        report = check_gradient(self._value, self._pullback, arrays, **options)
        rows = [
            replace(row, findings=(_NONE,)) if row.name in self.none and row.verdict is Verdict.WRONG else row
            for row in report
        ]
        return replace(report, rows=tuple(rows))

    def _tensors(self, arrays: Mapping[str, Array]) -> Tensors:
        return {
            name: torch.from_numpy(np.array(a)).to(self.called.tensors[name].device) for name, a in arrays.items()
        }

    def _value(self, **arrays: Array) -> Array:
        """Return the outputs: as they are if there is one, and one after the other if there are several."""
        self._at = self._tensors(arrays)
        complex_step = any(t.is_complex() for t in self._at.values())
        with torch.no_grad(), warnings.catch_warnings():
            if complex_step:  # casts that drop the imaginary part are found out by comparison
                warnings.simplefilter("ignore")
            ys = chosen(self.called, self.called.outputs(self._at))
        found = [y.detach().cpu().numpy() for y in ys]
        return found[0] if len(found) == 1 else np.concatenate([y.reshape(-1) for y in found])

    def _pullback(self, dy: Array) -> dict[str, Array]:
        called, tensors = self.called, self._at
        with torch.no_grad():
            ys = chosen(called, called.outputs(tensors))
        dys, start = [], 0
        flat = np.asarray(dy).reshape(-1)
        for y in ys:
            part = np.array(flat[start : start + y.numel()]).reshape(tuple(y.shape))
            dys.append(torch.from_numpy(part).to(y))
            start += y.numel()
        found = self._gradients(tensors, dys)
        self.none = found.none
        return {name: g.detach().cpu().to(torch.float64).numpy() for name, g in found.items()}

    def _gradients(self, tensors: Tensors, dys: list[torch.Tensor]) -> Gradients:
        try:
            return gradients(self.called, tensors, dys)
        except RuntimeError as error:
            if refused_shape(error) is None:
                raise
            return misshapen(self.called, tensors, dys)
