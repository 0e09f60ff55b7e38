"""Anyone's function of tensors, called in one way: with the tensors of interest by name, its outputs as a tuple."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch

from whygrad.errors import CheckError, OptionError

Tensors = dict[str, torch.Tensor]


class Called:
    """A ``torch.autograd.Function``, a module or a function, with the inputs that it is called with.

    Args:
        thing: the class of a Function, a module, or anything that takes tensors and gives tensors.
        inputs: a tensor, a tuple of arguments in order, or a mapping of arguments by name. Those that require a
            gradient are looked at; if none does, all of real numbers. Others are passed on as they are.
        seed: of PyTorch's random numbers, the same in every call, so that dropout draws one mask.

    Raises:
        OptionError: it is not callable, or there is no tensor whose gradient could be looked at.
    """

    def __init__(self, thing: Any, inputs: Any, *, seed: int = 0) -> None:
        self.thing, self.seed = thing, seed
        self.module = copied(thing) if isinstance(thing, torch.nn.Module) else None
        #: Whether gradients come from the module's own method ``backward`` and not from autograd.
        self.by_hand = self.module is not None and has_backward(self.module)
        self.name = getattr(function_of(thing) or thing, "__name__", type(thing).__name__)
        self._function = callable_of(thing)
        arguments = _arguments(thing, inputs)
        self._keywords = isinstance(inputs, Mapping)
        self._tensors = {name: value for name, value in arguments.items() if isinstance(value, torch.Tensor)}
        self._others = {name: value for name, value in arguments.items() if name not in self._tensors}
        self._order = list(arguments)
        real = {name: t for name, t in self._tensors.items() if t.is_floating_point()}
        asked = {name: t for name, t in real.items() if t.requires_grad}
        #: The inputs that are looked at, and after them the parameters of a module.
        self.inputs: Tensors = {name: t.detach() for name, t in (asked or real).items()}
        self._names: dict[str, str] = {}
        self.parameters: Tensors = {}
        for own, p in self.module.named_parameters() if self.module is not None else ():
            if p.requires_grad:
                name = f"parameter {own}" if own in self._tensors else own
                self._names[name], self.parameters[name] = own, p.detach()
        self.tensors: Tensors = {**self.inputs, **self.parameters}
        if not self.tensors:
            remedy = "pass float tensors, or let parameters require a gradient"
            raise OptionError("inputs", "at least one tensor of real numbers", "none", remedy)
        self._fresh = torch.Generator().manual_seed(seed).get_state()
        #: Whether the last call drew random numbers, which follow the order of memory; on a GPU it is assumed.
        self.random = False
        #: Of each output whether a gradient comes back from it; None until it has been called with gradients.
        self.differentiable: list[bool] | None = None

    def leaves(self, tensors: Tensors, wanted: set[str] | None = None) -> Tensors:
        """Return tensors that gradients are collected in; of those not in ``wanted`` none."""
        return {
            name: t.detach().requires_grad_(t.is_floating_point() and (wanted is None or name in wanted))
            for name, t in tensors.items()
        }

    def outputs(self, tensors: Tensors, *, copies: bool = True) -> tuple[torch.Tensor, ...]:
        """Call it and return all tensors that it gives.

        Args:
            tensors: those that are looked at, all of one dtype, which the others of real numbers then get as well.
            copies: give it copies of its inputs, which it may change in place; tensors that gradients are
                collected in may not be changed.

        Raises:
            CheckError: it gives no tensors.
        """
        dtype = _dtype_of(tensors)
        values: dict[str, Any] = dict(self._others)
        for name, t in self._tensors.items():
            given = tensors.get(name)
            if given is None:
                values[name] = _converted(t.detach(), dtype).clone()
            else:
                values[name] = given.clone() if copies else given
        self.given = values
        with self._seeded():
            raw = self._call(values, tensors, dtype)
        return _tensors_of(raw)

    def _call(self, values: dict[str, Any], tensors: Tensors, dtype: torch.dtype) -> Any:
        positional = [] if self._keywords else [values[name] for name in self._order]
        named = values if self._keywords else {}
        if self.module is None:
            return self._function(*positional, **named)
        state = {own: _converted(b, dtype).clone() for own, b in self.module.named_buffers()}
        state |= {own: _converted(p.detach(), dtype) for own, p in self.module.named_parameters()}
        state |= {own: tensors[name] for name, own in self._names.items()}
        return torch.func.functional_call(self.module, state, tuple(positional), named)

    def back_by_hand(self, tensors: Tensors, dys: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor | None]:
        """Return what the module's own ``backward`` gives at ``tensors``, asked on a copy of the module.

        The gradients of inputs are what it returns, in order; those of parameters stand in their ``grad``, or
        follow in what it returns.
        """
        module = copied(self.module)
        dtype = _dtype_of(tensors)
        module.to(dtype)
        by_own = dict(module.named_parameters())
        values = {
            **self._others,
            **{name: _converted(t.detach(), dtype).clone() for name, t in self._tensors.items()},
        }
        values |= {name: tensors[name].detach().clone() for name in self.inputs}
        with torch.no_grad(), self._seeded():
            for name, own in self._names.items():
                by_own[own].data = tensors[name].detach().clone()
                by_own[own].grad = None
            positional = [] if self._keywords else [values[name] for name in self._order]
            module(*positional, **(values if self._keywords else {}))
            raw = module.backward(*dys)
        returned = list(raw) if isinstance(raw, tuple | list) else [raw]
        slots = self._order if len(returned) >= len(self._order) else list(self.inputs)
        found = dict(zip([*slots, *self.parameters], returned, strict=False))
        for name, own in self._names.items():
            grad = by_own[own].grad
            found[name] = grad if grad is not None else found.get(name)
        return {name: found.get(name) for name in self.tensors}

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        devices = sorted({t.device.index or 0 for t in self.tensors.values() if t.is_cuda})
        before, others = torch.get_rng_state(), [torch.cuda.get_rng_state(i) for i in devices]
        torch.set_rng_state(self._fresh)
        for i in devices:
            with torch.cuda.device(i):
                torch.cuda.manual_seed(self.seed)
        try:
            yield
        finally:
            self.random = bool(devices) or not torch.equal(self._fresh, torch.get_rng_state())
            torch.set_rng_state(before)
            for i, state in zip(devices, others, strict=True):
                torch.cuda.set_rng_state(state, i)


def has_backward(module: torch.nn.Module) -> bool:
    """Return whether a module brings a ``backward`` of its own; that of Lightning takes a loss and is none."""
    lightning = any(
        kind.__module__.partition(".")[0] in ("lightning", "pytorch_lightning") for kind in type(module).__mro__
    )
    return callable(getattr(module, "backward", None)) and not lightning


def copied(module: Any) -> Any:
    """Return a copy of a module, so that nobody's own is changed; what it kept of earlier calls loses its history.

    Raises:
        CheckError: it cannot be copied.
    """
    kept = [value for part in module.modules() for value in vars(part).values() if isinstance(value, torch.Tensor)]
    known: dict[int, Any] = {id(t): t.detach().clone() for t in kept if not t.is_leaf}
    try:
        return copy.deepcopy(module, known)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        remedy = "make it anew, and keep no tensors with a history on it: what a call needs later belongs into ctx"
        raise CheckError(type(module).__name__, "a module that can be copied", reason, remedy) from error


def parameter_names(thing: Any) -> list[str]:
    """Return the names of the arguments that a Function's or a module's forward takes; none where nobody can tell.

    Example:
        >>> class Double(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x): return 2 * x
        >>> parameter_names(Double), parameter_names(torch.nn.Flatten())
        (['x'], ['input'])
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    owner = function_of(thing)
    source = owner.forward if owner is not None else thing.forward if isinstance(thing, torch.nn.Module) else thing
    with suppress(TypeError, ValueError):
        names = [p.name for p in inspect.signature(source).parameters.values() if p.kind in kinds]
        combined = owner is not None and owner.setup_context is torch.autograd.Function.setup_context
        return names[1:] if combined else names
    return []


def function_of(thing: Any) -> type[torch.autograd.Function] | None:
    """Return the Function that is meant by a Function or by its ``apply``; None for anything else."""
    owner = getattr(thing, "__self__", None) if getattr(thing, "__name__", "") == "apply" else thing
    return owner if isinstance(owner, type) and issubclass(owner, torch.autograd.Function) else None


def callable_of(thing: Any) -> Callable[..., Any]:
    """Return what is called: ``apply`` of a Function, anything else as it is.

    Raises:
        OptionError: it cannot be called.
    """
    owner = function_of(thing)
    if owner is not None:
        return owner.apply
    if isinstance(thing, torch.autograd.Function) or not callable(thing):
        remedy = "pass the class of a torch.autograd.Function, an nn.Module, or a function of tensors"
        raise OptionError("torch", "something that can be called", type(thing).__name__, remedy)
    return thing


def _arguments(thing: Any, inputs: Any) -> dict[str, Any]:
    """Return what it is called with by name."""
    if inputs is None or (isinstance(inputs, Mapping | tuple | list) and not inputs):
        raise OptionError(
            "inputs", "the tensors at which to look", "none", "pass them in order, (x, w), or by name"
        )
    if isinstance(inputs, Mapping):
        found = {str(name): value for name, value in inputs.items()}
    else:
        values = inputs if isinstance(inputs, tuple | list) else (inputs,)
        names = parameter_names(thing)
        known = len(names) >= len(values)
        found = {names[i] if known else f"input {i + 1}": value for i, value in enumerate(values)}
    for name, value in found.items():
        if isinstance(value, tuple | list | Mapping) and any(isinstance(v, torch.Tensor) for v in _items(value)):
            remedy = "wrap it in a function that takes every tensor as an argument of its own"
            raise OptionError(f"inputs, {name}", "a tensor", f"a {type(value).__name__} of tensors", remedy)
        if isinstance(value, torch.Tensor) and value.is_complex():
            remedy = "split it: pass the real and the imaginary part"
            raise OptionError(f"inputs, {name}", "real numbers", str(value.dtype), remedy)
    return found


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, Mapping) else value


def _converted(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor of real numbers in another dtype; indices and the like as they are."""
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _dtype_of(tensors: Tensors) -> torch.dtype:
    """Return the dtype of those that are real; one alone may be complex, for a complex step."""
    return next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float64)


def _tensors_of(raw: Any) -> tuple[torch.Tensor, ...]:
    values = _items(raw) if isinstance(raw, Mapping | tuple | list) else [raw]
    found = tuple(value for value in values if isinstance(value, torch.Tensor))
    if not found:
        remedy = "let it return its value: is there no return?" if raw is None else "return tensors"
        raise CheckError("forward", "a tensor or several", type(raw).__name__, remedy)
    return found
