"""``diagnose``: what is wrong with a backward pass that was written for PyTorch, by name."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from whygrad.diagnosis import Diagnosis
from whygrad.diagnosis import diagnose as diagnose_functions
from whygrad.diagnosis.functions import TIME_LIMIT
from whygrad.diagnosis.registry import subject as subject_of
from whygrad.diagnosis.signatures import NAMES, roles
from whygrad.errors import OptionError
from whygrad.interop.torch.calling import Called, Tensors, callable_of, function_of, parameter_names
from whygrad.interop.torch.gradients import Gradients, differentiable, gradients, misshapen, refused_shape
from whygrad.typing import Array

#: What modules keep as attributes and operations take as options.
_OPTIONS = ("stride", "padding", "kernel_size", "eps", "negative_slope", "alpha", "p", "axis", "dim")
_COTANGENT = "grad_output"
_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD


def diagnose(
    function_or_module: Any,
    op: str | None = None,
    inputs: Any = None,
    *,
    layout: str | None = None,
    weights: str | None = None,
    outputs: Sequence[str] | None = None,
    seed: int = 0,
    time_limit: float = TIME_LIMIT,
    **options: Any,
) -> Diagnosis:
    """Say what is wrong with the backward pass of a Function or a module, and how to mend it.

    It is called at probes of many sizes. A Function is given its arguments by their names; a module's parameters
    are exchanged, whatever their shapes, and so are ``stride``, ``padding`` and other options that it keeps as
    attributes. It is not changed.

    Args:
        function_or_module: the class of a ``torch.autograd.Function``, an ``nn.Module`` of one operation, with its
            own method ``backward`` or without, or a function of tensors.
        op: the operation that it is, "conv2d" or another of ``whygrad.ops``; None where its own forward pass is the
            reference, which names fewer mistakes.
        inputs: without ``op``, where to call it, unless it takes one tensor and acts entry by entry.
        layout: "NHWC" where images have their channels last.
        weights: the order of the weights' axes: "HWIO", "OIHW"; of dense ones "IO" or "OI".
        outputs: which gradients it gives, in order; those of its tensors if left out.
        seed: of the probes.
        time_limit: seconds that one call may take.
        options: others of the operation that the code is written for: ``stride=2``, ``kernel_size=3``, ...

    Returns:
        The diagnosis of ``whygrad.diagnose``.

    Raises:
        OptionError: an unknown operation, or a module of several.

    Example:
        >>> class Linear(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x, weight, bias):
        ...         ctx.save_for_backward(x, weight)
        ...         return x @ weight.t() + bias
        ...     @staticmethod
        ...     def backward(ctx, dy):
        ...         x, weight = ctx.saved_tensors
        ...         return dy @ weight, dy.t() @ x, dy.mean(dim=0)
        >>> d = diagnose(Linear, "linear")
        >>> d.cause, d["db"].says
        ('batch_scale_wrong', 'your db is 1/N times what it should be')
    """
    known = [] if op is None else list(subject_of(op).options)
    adapted = _Adapted(function_or_module, known)
    if outputs is None and op is not None:
        outputs = adapted.gradients_of(subject_of(op).inputs)
    if inputs is not None:
        options["inputs"] = adapted.named(inputs)
    return diagnose_functions(
        _named(adapted.backward, adapted.backward_signature, adapted.source("backward")),
        op,
        _named(adapted.forward, adapted.signature, adapted.source("forward")),
        layout=layout,
        weights=weights,
        outputs=outputs,
        seed=seed,
        time_limit=time_limit,
        **options,
    )


class _Adapted:
    """A function of tensors as ``whygrad.diagnose`` calls it: with arrays, by the names of its arguments.

    Args:
        thing: the Function, module or function.
        options: of the operation that it is.
    """

    def __init__(self, thing: Any, options: Sequence[str]) -> None:
        callable_of(thing)
        self.thing = thing
        self.module = thing if isinstance(thing, torch.nn.Module) else None
        taken = _parameters(self._taker())
        if function_of(thing) is not None:
            names = parameter_names(thing)
            taken = [p for p in taken if p.name in names][-len(names) :]
        positional = [
            p.replace(kind=_KIND, annotation=p.empty) for p in taken if p.kind in (_KIND, p.POSITIONAL_ONLY)
        ]
        self._inputs = [p.name for p in positional]
        #: The parameters of a module by the short names that they have here.
        self._owned: dict[str, str] = {}
        self._attributes: list[str] = []
        if self.module is not None:
            positional = [p for p in positional if p.default is p.empty] + self._of_module(self.module, options)
        self.signature = inspect.Signature(positional)
        first = inspect.Parameter(_COTANGENT, _KIND)
        self.backward_signature = inspect.Signature([first, *positional])

    def _taker(self) -> Any:
        owner = function_of(self.thing)
        if owner is not None:
            return owner.forward
        return self.thing.forward if self.module is not None else self.thing

    def _of_module(self, module: torch.nn.Module, options: Sequence[str]) -> list[inspect.Parameter]:
        """Return the arguments that a module has besides what it is called with: parameters and attributes."""
        for own, _ in module.named_parameters():
            short = own.rpartition(".")[2]
            if short in self._owned:
                received = f"{type(module).__name__}, which has {self._owned[short]} and {own}"
                remedy = "diagnose its layers one by one, or check the whole with whygrad.interop.torch.check"
                raise OptionError("diagnose", "a module of one operation", received, remedy)
            self._owned[short] = own
        wanted = {name for role in options for name in {role, *NAMES.get(role, ())}}
        self._attributes = [n for n in _OPTIONS if n in wanted and _is_option(getattr(module, n, None))]
        found = [inspect.Parameter(short, _KIND) for short in self._owned]
        return found + [inspect.Parameter(n, _KIND, default=getattr(module, n)) for n in self._attributes]

    def source(self, which: str) -> Any:
        """Return the code that was written by hand, whose words may decide between causes."""
        owner = function_of(self.thing)
        if owner is not None:
            return getattr(owner, which)
        if self.module is None:
            return self.thing
        return getattr(type(self.module), which, type(self.module).forward)

    def gradients_of(self, inputs: Sequence[str]) -> list[str] | None:
        """Return the gradients that come back, by their names; None where the arguments' names do not tell."""
        taken = list(self.signature.parameters.values())
        wanted = [*inputs, *(name for name in NAMES if name not in inputs)]
        found = roles(taken, wanted)
        return None if found is None else [f"d{role}" for role in found if role in inputs] or None

    def named(self, inputs: Any) -> dict[str, Array]:
        """Return the inputs to call it at, by name."""
        values = inputs if isinstance(inputs, tuple | list) else (inputs,)
        by_name = (
            inputs if isinstance(inputs, Mapping) else dict(zip(self.signature.parameters, values, strict=False))
        )
        return {
            str(name): value.detach().cpu().double().numpy()
            if isinstance(value, torch.Tensor)
            else np.asarray(value)
            for name, value in by_name.items()
        }

    def forward(self, *arguments: Any) -> Array:
        """Return its first output."""
        called, tensors = self._called(self.signature, arguments)
        with torch.no_grad():
            y = called.outputs(tensors)[0].detach().numpy()
        self._show_writing(called, self.signature, arguments)
        return y

    def backward(self, dy: Array, *arguments: Any) -> tuple[Array | None, ...]:
        """Return the gradients of its tensors in order, None where backward gave none."""
        called, tensors = self._called(self.signature, arguments)
        called.differentiable = differentiable(called, tensors)
        if sum(called.differentiable) > 1:
            called.differentiable = [
                i == called.differentiable.index(True) for i in range(len(called.differentiable))
            ]
        found = _gradients(called, tensors, torch.from_numpy(np.asarray(dy, np.float64)))
        return tuple(None if name in found.none else found[name].detach().numpy() for name in tensors)

    def _called(self, signature: inspect.Signature, arguments: Sequence[Any]) -> tuple[Called, Tensors]:
        bound = signature.bind(*arguments)
        bound.apply_defaults()
        values = {name: torch.from_numpy(v) if _is_real(v) else v for name, v in bound.arguments.items()}
        if self.module is None:
            called = Called(self.thing, tuple(values.values()))
            return called, called.tensors
        module = self._with_options({name: values[name] for name in self._attributes})
        called = Called(module, tuple(values[name] for name in self._inputs if name in values))
        return called, {**called.inputs, **{own: values[short] for short, own in self._owned.items()}}

    def _with_options(self, options: Mapping[str, Any]) -> torch.nn.Module:
        assert self.module is not None
        module = copy.copy(self.module)
        for name, value in options.items():
            now = getattr(self.module, name)
            pair = isinstance(now, tuple) and not isinstance(value, tuple)
            setattr(module, name, (value,) * len(now) if pair else value)
        return module

    def _show_writing(self, called: Called, signature: inspect.Signature, arguments: Sequence[Any]) -> None:
        """Let what was written to its inputs be seen in the arrays that it was called with."""
        for name, array in zip(signature.parameters, arguments, strict=False):
            given = called.given.get(name)
            if isinstance(given, torch.Tensor) and isinstance(array, np.ndarray):
                now = given.detach().numpy()
                if not np.array_equal(now, array, equal_nan=True):
                    array[...] = now


def _gradients(called: Called, tensors: Tensors, dy: torch.Tensor) -> Gradients:
    try:
        return gradients(called, tensors, [dy])
    except RuntimeError as error:
        if refused_shape(error) is None:
            raise
        return misshapen(called, tensors, [dy])


def _parameters(taker: Any) -> list[inspect.Parameter]:
    """Return what a function takes: one tensor, where Python cannot tell, as of what is built in."""
    with suppress(TypeError, ValueError):
        return list(inspect.signature(taker).parameters.values())
    return [inspect.Parameter("x", _KIND)]


def _is_real(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _is_option(value: Any) -> bool:
    numbers = value if isinstance(value, tuple) else (value,)
    return bool(numbers) and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)


def _named(function: Any, signature: inspect.Signature, source: Any) -> Any:
    """Return a function that takes the arguments of a signature, and whose text is somebody's source."""

    def taking(*arguments: Any) -> Any:
        return function(*arguments)

    taking.__signature__ = signature  # type: ignore[attr-defined]
    taking.__wrapped__ = source  # type: ignore[attr-defined]
    taking.__name__ = getattr(source, "__name__", "function")
    return taking
