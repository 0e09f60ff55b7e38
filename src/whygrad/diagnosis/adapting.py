"""Calling anyone's backward pass: its arguments recognised, its results sorted, whatever their form.

Known forms: ``backward(dy, x, w, ...)`` in the names or the order of the operation; ``backward(dout,
    cache)`` with its
forward; objects with ``forward`` and ``backward``; results as a tuple, in another order, as a dictionary or alone.
"""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from whygrad.diagnosis.layouts import Layout
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.signatures import GRADIENTS, NAMES, arguments, parameters, sorted_results
from whygrad.typing import Array


@dataclass
class Result:
    """What one call of a person's code gave."""

    outputs: dict[str, Any] = field(default_factory=dict)  #: arrays, or None where None was returned
    error: str | None = None  #: what it raised, with the line
    refused: bool = False  #: whether it raised on purpose: it does not do these sizes
    y: Array | None = None  #: what its forward gave
    written: tuple[str, ...] = ()  #: the inputs that it wrote to
    left: dict[str, Array] = field(default_factory=dict)  #: how it left those
    printed: bool = False
    late: bool = False  #: whether dx depends on the learning rate: weights are updated before it is computed


def guarded(call: Callable[[], Any]) -> tuple[Any, str | None, bool, bool]:
    """Call a person's code: its value, what it raised with the line, whether on purpose, and whether it printed."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed), np.errstate(all="ignore"):
            value = call()
    except (Exception, SystemExit) as error:
        return None, described(error), deliberate(error), bool(printed.getvalue())
    return value, None, False, bool(printed.getvalue())


def described(error: BaseException) -> str:
    """Return an error as a phrase with the line of the person's own file."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not {"site-packages", "whygrad"} & set(Path(f.filename).parts)
    ]
    line = (
        f", line {frames[-1].lineno} of {Path(frames[-1].filename).name}: {frames[-1].line or ''}" if frames else ""
    )
    return f"{type(error).__name__}: {' '.join(str(error).split())}{line}"


def deliberate(error: BaseException) -> bool:
    """Return whether code refuses these sizes: it says raise or assert itself, or that it is not written yet."""
    if isinstance(error, NotImplementedError | AssertionError):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    theirs = last is not None and not {"site-packages", "whygrad"} & set(Path(last.filename).parts)
    return bool(theirs and last and (last.line or "").lstrip().startswith(("raise", "assert")))


def as_array(value: Any) -> Array | None:
    """Return a result as float64; None for what is no array of numbers."""
    if value is None:
        return None
    with suppress(TypeError, ValueError):
        array = np.asarray(value)
        if array.dtype.kind in "fiub":
            return array.astype(np.float64)
    return None


class Code:
    """A person's code, called at a probe.

    Args:
        backward: a function, an object with ``forward`` and ``backward``, or None.
        forward: its forward, if there is one.
        order: the operation's arguments after dy: ("x", "w", "b", "stride", "padding").
        outputs: the operation's gradients in order.
        layout: of images and of weights, where it is not NCHW and FCRS.
    """

    def __init__(
        self, backward: Any, forward: Any, order: Sequence[str], outputs: Sequence[str], layout: Layout
    ) -> None:
        self.backward, self.forward, self.order, self.outputs, self.layout = (
            backward,
            forward,
            list(order),
            list(outputs),
            layout,
        )
        self.calls = 0
        self.orders: dict[tuple[str, ...], int] = {}

    def __call__(self, probe: Probe) -> Result:
        """Call the code at a probe, on copies of its inputs."""
        self.calls += 1
        values, before = self._values(probe)
        result = Result()
        cache: Any = None
        if self.forward is not None:
            cache = self._run_forward(values, result)
            if result.error is not None and self.backward is not None:
                return result
        if self.backward is not None:
            self._run_backward(probe, values, cache, result)
        self._look(values, before, result)
        return result

    def _look(self, values: Mapping[str, Any], before: Mapping[str, Array], result: Result) -> None:
        """Note which inputs are no longer what they were."""
        changed = [n for n, a in before.items() if not np.array_equal(a, values[n], equal_nan=True)]
        result.written = tuple(changed)
        result.left = {n: np.array(self.layout.from_person(n, values[n])) for n in changed}

    def _values(self, probe: Probe) -> tuple[dict[str, Any], dict[str, Array]]:
        arrays = {
            name: self.layout.to_person(name, np.array(a)) for name, a in {**probe.inputs, "dy": probe.dy}.items()
        }
        values: dict[str, Any] = {"dy": arrays.pop("dy"), **arrays}
        before = {name: a.copy() for name, a in values.items()}
        values |= {k: v for k, v in probe.options.items() if not k.startswith("_")}
        values["bundle"] = _bundle(probe)
        values["rng"] = np.random.default_rng(3)
        if "_mask" in probe.options:
            values["mask"] = probe.options["_mask"]
        return values, before

    def _run_forward(self, values: dict[str, Any], result: Result) -> Any:
        given = {k: v for k, v in values.items() if k != "dy"}
        taken = arguments(self.forward, given, [o for o in self.order if o in given])
        if taken is None:
            result.error = "its forward takes arguments that are not known"
            return None
        raw, result.error, result.refused, result.printed = guarded(lambda: self.forward(*taken))
        cache = None
        if isinstance(raw, tuple) and len(raw) >= 2:
            raw, cache = raw[0], raw[1] if len(raw) == 2 else raw[1:]
        y = as_array(raw)
        result.y = None if y is None else self.layout.from_person("y", y)
        values["y"] = raw if isinstance(raw, np.ndarray) else None
        return cache

    def _run_backward(self, probe: Probe, values: dict[str, Any], cache: Any, result: Result) -> None:
        if cache is not None:
            values["cache"] = cache
        values.setdefault("y", self.layout.to_person("y", probe.y.copy()) if self._wants_y() else None)
        taken = self._backward_arguments(values, cache)
        raw, result.error, result.refused, printed = guarded(lambda: self.backward(*taken))
        result.printed |= printed
        if result.error is None:
            shapes = {o: self.layout.shape(o, probe.right[o].shape) for o in self.outputs}
            found = sorted_results(raw, self.outputs, shapes, self.orders)
            self._from_attributes(found)
            result.outputs = {o: self._back(o, found[o]) for o in self.outputs if o in found}

    def _wants_y(self) -> bool:
        return any(p.name.lower() in NAMES["y"] for p in parameters(self.backward))

    def _backward_arguments(self, values: Mapping[str, Any], cache: Any) -> list[Any]:
        taken = parameters(self.backward)
        required = [p for p in taken if p.default is p.empty]
        if cache is not None and len(required) == 2 and not callable(cache):
            swapped = taken[0].name.lower() in NAMES["cache"] or taken[1].name.lower() in NAMES["dy"]
            return [cache, values["dy"]] if swapped else [values["dy"], cache]
        order = ["dy", *self.order]
        found = arguments(self.backward, values, [o for o in order if o in values])
        if found is None:
            found = [values[o] for o in order if o in values]
        return found

    def _from_attributes(self, found: dict[str, Any]) -> None:
        """Take the gradients that an object kept to itself: self.dw, self.grads["W"]."""
        owner = getattr(self.backward, "__self__", None)
        if owner is None:
            return
        kept = dict(vars(owner)) if hasattr(owner, "__dict__") else {}
        for name in ("grads", "gradients", "grad"):
            if isinstance(kept.get(name), Mapping):
                kept |= {str(k): v for k, v in kept[name].items()}
        for output in self.outputs[1:]:
            if found.get(output) is None:
                names = [
                    k
                    for k in kept
                    if k.lower()
                    in GRADIENTS.get(output, set()) - {output[1:], "weight", "weights", "bias", "kernel", "w", "b"}
                ]
                if names:
                    found[output] = kept[names[0]]

    def _back(self, output: str, value: Any) -> Any:
        array = as_array(value)
        return None if array is None else self.layout.from_person(output, array)


def _bundle(probe: Probe) -> dict[str, Any]:
    """Return the options as the dictionaries that courses use."""
    options = {k: v for k, v in probe.options.items() if not k.startswith("_")}
    bundle = dict(options)
    if "padding" in options:
        bundle["pad"] = options["padding"]
    if "kernel_size" in options:
        k = options["kernel_size"]
        height, width = (k, k) if isinstance(k, int) else k
        bundle |= {"pool_height": height, "pool_width": width, "f": k}
    bundle.setdefault("mode", "train")
    return bundle
