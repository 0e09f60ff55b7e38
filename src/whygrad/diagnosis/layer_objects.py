"""Layers that are objects: made, given their weights, run forward and backward, and asked for their gradients."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from whygrad.diagnosis.adapting import (
    GRADIENTS,
    NAMES,
    Code,
    Layout,
    Result,
    arguments,
    as_array,
    guarded,
    parameters,
    sorted_results,
)
from whygrad.diagnosis.probes import Probe

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
        result.written = tuple(n for n, a in before.items() if not np.array_equal(a, values[n], equal_nan=True))
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

    def _backward(self, made: Any, values: dict[str, Any], probe: Probe, result: Result) -> None:
        taken = [p for p in parameters(made.backward) if p.default is p.empty]
        call = [values["dy"], 0.0][
            : max(1, len(taken))
        ]  # many layers update themselves: with a learning rate of 0 they do not
        raw, result.error, result.refused, printed = guarded(lambda: made.backward(*call))
        result.printed |= printed
        if result.error is not None:
            return
        shapes = {o: self.layout.shape(o, probe.right[o].shape) for o in self.outputs}
        found = sorted_results(raw, self.outputs, shapes, self.orders)
        kept = dict(vars(made)) if hasattr(made, "__dict__") else {}
        for name in ("grads", "gradients"):
            if isinstance(kept.get(name), dict):
                kept |= {f"d{k}" if not str(k).startswith("d") else str(k): v for k, v in kept[name].items()}
        for output in self.outputs:
            names = [
                k
                for k in kept
                if k.lower().strip("_") in GRADIENTS.get(output, set()) - NAMES.get(output[1:], set()) - {"input"}
            ]
            if found.get(output) is None and names:
                found[output] = np.array(kept[names[0]]) if kept[names[0]] is not None else None
        result.outputs = {o: self._back(o, found[o]) for o in self.outputs if o in found}


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
