"""Layers that are objects: made, given their weights, run forward and backward, and asked for their gradients."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.adapting import Code, Result, as_array, guarded
from whygrad.diagnosis.layouts import Layout
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.signatures import GRADIENTS, NAMES, arguments, parameters, sorted_results
from whygrad.typing import Array

#: How constructors call the sizes of a layer.
SIZES = {
    "C": {"in_channels", "input_channels", "n_in", "in_features", "input_size", "input_dim", "channels", "in_dim",
          "c_in", "num_features", "inputs", "depth", "nc"},
    "F": {"out_channels", "num_filters", "n_filters", "n_out", "out_features", "output_size", "output_dim",
          "out_dim", "c_out", "filters", "outputs", "units"},
    "R": {"kernel_size", "filter_size", "k", "kernel", "ksize", "pool_size", "size", "window"},
}  # fmt: skip
#: What holds the parameters and their gradients.
HOLDERS = ("params", "parameters", "weights_dict")
#: What may hold a parameter and is no gradient, however its values change.
_PARAMETERS = NAMES["w"] | NAMES["b"] | NAMES["gamma"] | NAMES["beta"] | {"x", "input"}
#: How layers call the learning rate that they keep, and the rates at which an update is looked at.
RATES = ("lr", "learning_rate", "eta", "alpha", "learnrate", "rate")
RATE = 0.25


def is_layer(thing: Any) -> bool:
    """Return whether something is a layer, or a class of layers.

    Example:
        >>> class ReLU:
        ...     def forward(self, x): ...
        ...     def backward(self, dy): ...
        >>> is_layer(ReLU()), is_layer(ReLU), is_layer(len)
        (True, True, False)
    """
    return callable(getattr(thing, "backward", None)) and (
        callable(getattr(thing, "forward", None)) or callable(thing)
    )


class LayerCode(Code):
    """A layer object, called at a probe as a person would: forward, then backward."""

    def __init__(self, layer: Any, order: Sequence[str], outputs: Sequence[str], layout: Layout) -> None:
        super().__init__(None, None, order, outputs, layout)
        self.layer = layer
        #: One object for all probes of a shape, so that what it keeps from call to call is seen.
        self.made: dict[str, Any] = {}

    def __call__(self, probe: Probe) -> Result:
        """Call the layer at a probe."""
        self.calls += 1
        result = Result()
        values, before = self._values(probe)
        made, result.error, _, _ = guarded(lambda: self._instance(probe))
        result.refused = (
            result.error is not None
        )  # it cannot be made at these sizes, which says nothing of its gradients
        if result.error is None:
            self._set(made, values)
            given = {k: v for k, v in values.items() if k != "dy"}
            forward = made.forward if hasattr(made, "forward") else made
            raw, result.error, result.refused, result.printed = guarded(
                lambda: forward(*self._forward_arguments(forward, given))
            )
        if result.error is None:
            y = as_array(raw[0] if isinstance(raw, tuple) else raw)
            result.y = None if y is None else self.layout.from_person("y", y)
            self._backward(made, values, probe, result)
        self._look(values, before, result)
        return result

    def _instance(self, probe: Probe) -> Any:
        if probe.name not in self.made:
            self.made[probe.name] = (
                _construct(self.layer, probe) if inspect.isclass(self.layer) else copy.deepcopy(self.layer)
            )
        return self.made[probe.name]

    def _forward_arguments(self, forward: Any, given: dict[str, Any]) -> list[Any]:
        required = [p for p in parameters(forward) if p.default is p.empty]
        return [given["x"]] if len(required) <= 1 else arguments(forward, given, self.order) or [given["x"]]

    def _set(self, made: Any, values: dict[str, Any]) -> None:
        """Give the layer the probe's parameters and options, under whatever name it keeps them."""
        for role in ("w", "b", "gamma", "beta", "stride", "padding", "kernel_size", "eps", "p", "alpha"):
            if role not in values:
                continue
            for attribute in list(vars(made)) if hasattr(made, "__dict__") else []:
                if _stands_for(attribute, role, made, values[role]):
                    setattr(made, attribute, _like(getattr(made, attribute), values[role]))
            for holder in HOLDERS:
                held = getattr(made, holder, None)
                if isinstance(held, dict):
                    for key in list(held):
                        if (
                            isinstance(key, str)
                            and key.lower() in NAMES[role]
                            and isinstance(held[key], np.ndarray)
                        ):
                            held[key] = values[role]
                elif isinstance(held, list) and role in ("w", "b"):
                    place = {"w": 0, "b": 1}[role]
                    if len(held) > place and isinstance(held[place], np.ndarray):
                        held[place] = _like(held[place], values[role])

    def _backward(self, made: Any, values: dict[str, Any], probe: Probe, result: Result) -> None:
        before, fresh = copy.deepcopy(made), dict(_arrays(made))
        raw, result.error, result.refused, printed = guarded(lambda: self._call(made, values["dy"], 0.0))
        result.printed |= printed
        if result.error is not None:
            return
        shapes = {o: self.layout.shape(o, probe.right[o].shape) for o in self.outputs}
        found = sorted_results(raw, self.outputs, shapes, self.orders)
        kept = _arrays(made)
        for output in self.outputs:
            if found.get(output) is None:
                names = [k for k in kept if _last(k) in GRADIENTS.get(output, set()) - _PARAMETERS]
                if names:
                    found[output] = kept[names[0]].copy()
        changed = {
            k: a for k, a in kept.items() if k not in fresh or not np.array_equal(a, fresh[k], equal_nan=True)
        }
        for output in self.outputs[1:]:
            if found.get(output) is None:
                found[output] = _by_shape(changed, shapes[output], output)
        updates = updated(before, values["dy"], self._call)
        for output in self.outputs[1:]:
            if found.get(output) is None:
                found[output] = updates.by_role(output[1:])
        if updates.dx is not None and not _alike(updates.dx, found.get(self.outputs[0])):
            found[self.outputs[0]], result.late = updates.dx, True
        result.outputs = {o: self._back(o, found[o]) for o in self.outputs if o in found}

    def _call(self, layer: Any, dy: Array, rate: float) -> Any:
        """Run the layer backward; many take a learning rate and update themselves, with 0 they do not."""
        required = [p for p in parameters(layer.backward) if p.default is p.empty]
        with _learning_rate(layer, rate) if len(self.outputs) > 1 else nullcontext():
            return layer.backward(*[dy.copy(), rate][: max(1, len(required))])


def _stands_for(attribute: str, role: str, made: Any, value: Any) -> bool:
    name = attribute.lower().strip("_")
    if name not in NAMES[role] and name not in (SIZES["R"] if role == "kernel_size" else ()):
        return False
    now = getattr(made, attribute)
    return isinstance(value, np.ndarray) == isinstance(now, np.ndarray) or now is None


def _like(now: Any, value: Any) -> Any:
    """Return the value in the shape in which the layer keeps it: biases as columns, pairs for numbers."""
    if isinstance(now, np.ndarray) and isinstance(value, np.ndarray) and now.ndim > value.ndim:
        shape = tuple(-1 if n == max(now.shape) else 1 for n in now.shape)
        return value.reshape(shape) if shape.count(-1) == 1 else value
    if isinstance(now, tuple) and isinstance(value, int):
        return (value, value)
    return value


def _construct(kind: Any, probe: Probe) -> Any:
    """Make a layer of a class, from the sizes of a probe where it asks for them."""
    taken = parameters(kind)
    sizes = probe.sizes
    known: dict[str, Any] = {}
    w = probe.inputs.get("w")
    for parameter in taken:
        name = parameter.name.lower()
        for role in ("stride", "padding", "kernel_size", "eps", "p", "alpha"):
            if role in probe.options and name in NAMES[role] | (SIZES["R"] if role == "kernel_size" else set()):
                known.setdefault(parameter.name, probe.options[role])
        if name in SIZES["C"]:
            known[parameter.name] = int(sizes["C"] if "C" in sizes else probe["x"].shape[1])
        elif name in SIZES["F"] and w is not None:
            known[parameter.name] = w.shape[0]
        elif name in SIZES["R"] and w is not None and w.ndim == 4:
            known[parameter.name] = w.shape[2] if w.shape[2] == w.shape[3] else w.shape[2:]
    with suppress(TypeError):
        return kind(**known)
    return kind()


def _arrays(layer: Any) -> dict[str, Array]:
    """Return the arrays that a layer holds, by name: "dW", "grads.W", "grads.0"."""
    found: dict[str, Array] = {}
    for name, value in vars(layer).items() if hasattr(layer, "__dict__") else ():
        if isinstance(value, np.ndarray):
            found[name] = value
        elif isinstance(value, dict):
            found |= {f"{name}.{_as_gradient(name, k)}": a for k, a in value.items() if isinstance(a, np.ndarray)}
        elif isinstance(value, list | tuple):
            found |= {f"{name}.{k}": a for k, a in enumerate(value) if isinstance(a, np.ndarray)}
    return {name: np.asarray(a).copy() for name, a in found.items()}


def _as_gradient(holder: str, key: Any) -> str:
    """Return "dW" for W in a dictionary of gradients."""
    plain = str(key)
    return f"d{plain}" if holder.lower().startswith("grad") and not plain.lower().startswith("d") else plain


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1].lower().strip("_")


def _by_shape(changed: dict[str, Array], shape: tuple[int, ...], output: str) -> Array | None:
    """Return what was written during the backward pass and has a gradient's shape: under no name that is known."""
    size = int(np.prod(shape))
    fits = [k for k, a in changed.items() if a.shape == shape or (len(shape) == 1 and a.size == size)]
    speaking = [k for k in fits if "d" in _last(k) or "grad" in k.lower() or "." in k]
    plain = [k for k in speaking if _last(k) not in _PARAMETERS]
    return changed[plain[0]] if len(plain) == 1 or (plain and output == "dw") else None


class Updates(NamedTuple):
    """What a layer does to its own parameters at a learning rate."""

    steps: dict[str, Array]  #: by the name of the parameter: what was subtracted, over the rate
    dx: Array | None  #: what it returned then

    def by_role(self, role: str) -> Array | None:
        """Return the gradient of a parameter that the update gives away."""
        for name, step in self.steps.items():
            if _last(name) in NAMES[role]:
                return step
        return None


def updated(layer: Any, dy: Array, call: Callable[[Any, Array, float], Any]) -> Updates:
    """Return the update that a layer makes of itself in its backward pass, where it is a step along a gradient.

    Such a step is in proportion to dy and to the rate. What is not (a step of Adam, a layer that makes none) says
    nothing of a gradient.
    """
    once, twice = copy.deepcopy(layer), copy.deepcopy(layer)
    before = _arrays(layer)
    raw, error, _, _ = guarded(lambda: call(once, dy, RATE))
    _, other, _, _ = guarded(lambda: call(twice, 2 * dy, RATE))
    if error is not None or other is not None:
        return Updates({}, None)
    steps: dict[str, Array] = {}
    first, second = _arrays(once), _arrays(twice)
    for name, start in before.items():
        if _last(name) not in _PARAMETERS or name not in first or first[name].shape != start.shape:
            continue
        step = start - first[name]
        if step.any() and _alike(start - second[name], 2 * step):
            steps[name] = step / RATE
    dx = as_array(raw[0] if isinstance(raw, tuple) and raw else raw)
    return Updates(steps, dx if steps else None)


def _alike(a: Array, b: Any) -> bool:
    other = as_array(b)
    return other is None or (a.shape == other.shape and bool(np.allclose(a, other, rtol=1e-7, atol=1e-9)))


@contextmanager
def _learning_rate(layer: Any, rate: float) -> Iterator[None]:
    """Give a layer that keeps a learning rate of its own this one."""
    own = {n: v for n, v in (vars(layer) if hasattr(layer, "__dict__") else {}).items() if n.lower() in RATES}
    own = {n: v for n, v in own.items() if isinstance(v, float | int)}
    for name in own:
        setattr(layer, name, rate)
    try:
        yield
    finally:
        for name, value in own.items():
            setattr(layer, name, value)
