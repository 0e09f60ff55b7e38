"""Calling anyone's backward pass: its arguments recognised, its results sorted, whatever their form.

Known forms: ``backward(dy, x, w, ...)`` in the names or the order of the operation; ``backward(dout,
    cache)`` with its
forward; objects with ``forward`` and ``backward``; results as a tuple, in another order, as a dictionary or alone.
"""

from __future__ import annotations

import dis
import inspect
import io
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

#: What people call each argument, in small letters.
NAMES: dict[str, set[str]] = {
    "dy": {"dy", "dout", "dz", "da", "delta", "grad", "gradient", "d_out", "dl_dout", "d_l_d_out", "grad_output",
           "upstream", "g", "dh",
           "d_y", "doutput", "d_output", "output_gradient", "output_error", "error", "err", "dvalues", "grad_out",
           "gy", "dnext", "dl", "e",
           "deltas", "dl_dy", "dldy", "delta_out", "d_next", "out_grad", "output_grad", "dlda", "dldz", "gout",
           "dp", "ds"},
    "x": {"x", "input", "inputs", "image", "images", "a_prev", "inp", "img", "data", "input_data", "last_input",
          "layer_input", "a", "z", "in_",
          "input_", "xs", "volume", "h_prev", "scores", "logits", "v", "aprev", "feature_map", "features", "i",
          "im", "x_in"},
    "w": {"w", "weights", "weight", "kernel", "kernels", "filters", "filter", "filt", "f", "k", "theta", "wt",
          "weight_matrix", "ws", "kern"},
    "b": {"b", "bias", "biases", "bs"},
    "stride": {"stride", "s", "strides", "step"},
    "padding": {"pad", "padding", "p", "pads", "n_pad"},
    "kernel_size": {"k", "kernel_size", "pool_size", "size", "f", "pool", "ksize", "window", "window_size", "n",
                    "kernel", "ps", "filter_size", "pool_dim"},
    "gamma": {"gamma", "g", "scale"},
    "beta": {"beta", "b", "shift", "bias"},
    "eps": {"eps", "epsilon"},
    "cache": {"cache", "saved", "ctx", "tape", "memory", "state", "caches"},
    "bundle": {"conv_param", "pool_param", "hparameters", "hparams", "params", "param", "config", "opts",
               "bn_param", "dropout_param", "options", "kwargs_"},
    "y": {"y", "out", "output", "outputs", "a_out", "activation", "result", "yhat", "y_hat", "probs",
          "softmax_output"},
    "p": {"p", "rate", "drop_prob", "prob", "dropout_rate", "keep_prob", "drop_rate"},
    "rng": {"rng", "random_state", "generator", "seed"},
    "axis": {"axis", "dim"},
    "alpha": {"alpha", "slope", "negative_slope", "a", "leak"},
    "mask": {"mask", "drop_mask"},
    "training": {"training", "train", "mode", "is_training"},
    "shape": {"shape", "x_shape", "input_shape", "in_shape", "original_shape"},
}  # fmt: skip
GRADIENTS = {
    "dx": {"dx", "da_prev", "dinput", "dinputs", "d_x", "d_input", "input_gradient", "dximage", "dl_dinput",
           "grad_x", "grad_input", "x", "dprev", "input"},
    "dw": {"dw", "dkernel", "dweights", "dweight", "d_w", "d_weights", "dfilters", "d_filters", "grad_w",
           "weights_gradient", "kernels_gradient",
           "dl_dw", "w", "weight", "weights", "dfilter", "d_kernel", "grad_weights", "grad_weight", "dk",
           "weight_grad", "w_grad", "dk_", "kernel"},
    "db": {"db", "dbias", "dbiases", "d_b", "d_bias", "grad_b", "dl_db", "b", "bias", "biases_gradient",
           "bias_gradient", "grad_bias", "bias_grad", "b_grad", "d_biases"},
    "dgamma": {"dgamma", "d_gamma", "grad_gamma", "gamma"},
    "dbeta": {"dbeta", "d_beta", "grad_beta", "beta"},
}  # fmt: skip


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


def parameters(function: Any) -> list[inspect.Parameter]:
    """Return the positional parameters of a function; none where Python cannot tell."""
    with suppress(TypeError, ValueError):
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [p for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    return []


def unread(function: Any) -> set[str]:
    """Return the parameters that a function never reads: it is not written for other values than the usual ones.

    Example:
        >>> unread(lambda dy, x, stride=1: dy * x)
        {'stride'}
    """
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is None:
        return set()
    read: set[str] = set()
    pending = [code]
    while pending:
        here = pending.pop()
        for instruction in dis.get_instructions(here):
            if instruction.opname.startswith("LOAD"):
                names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
                read |= {name for name in names if isinstance(name, str)}
        pending += [constant for constant in here.co_consts if isinstance(constant, CodeType)]
    return {p.name for p in parameters(function)} - read


def roles(taken: Sequence[inspect.Parameter], wanted: Sequence[str]) -> list[str] | None:
    """Return which argument each parameter stands for, by its name; None where one of them cannot be told.

    Example:
        >>> import inspect
        >>> roles(list(inspect.signature(lambda dout, W, X: 0).parameters.values()), ["dy", "x", "w", "b"])
        ['dy', 'w', 'x']
    """
    found: list[str] = []
    for parameter in taken:
        name = parameter.name.lower().rstrip("_")
        exact = [r for r in wanted if r not in found and name == r]
        known = exact or [r for r in wanted if r not in found and name in NAMES.get(r, ())]
        if not known:
            if parameter.default is not parameter.empty:
                break
            return None
        found.append(known[0])
    return found


def arguments(function: Any, values: Mapping[str, Any], order: Sequence[str]) -> list[Any] | None:
    """Return the arguments of a call: by the parameters' names, or else in the operation's order."""
    taken = parameters(function)
    if not taken:
        return [values[role] for role in order if role in values]
    named = roles(taken, list(values))
    required = [p for p in taken if p.default is p.empty]
    if named is not None and len(named) >= len(required):
        return [values[role] for role in named]
    if len(required) <= len(order):
        return [values[role] for role in order[: max(len(required), min(len(taken), len(order)))]]
    return None


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


def sorted_results(
    raw: Any,
    wanted: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]],
    seen: dict[tuple[str, ...], int] | None = None,
) -> dict[str, Any]:
    """Return gradients by name, from a tuple in any order that the shapes decide, a dictionary or one array.

    ``seen`` counts how well each order has fitted so far: where one call leaves it open, earlier ones decide.

    Example:
        >>> found = sorted_results((np.ones(3), np.ones((2, 3))), ["dx", "db"], {"dx": (2, 3), "db": (3,)})
        >>> found["db"].shape
        (3,)
    """
    if isinstance(raw, Mapping):
        return _from_mapping(raw, wanted)
    if not isinstance(raw, tuple | list):
        if len(wanted) == 1 or raw is None:
            return {wanted[0]: raw}
        fits = [name for name in wanted if shapes[name] == np.shape(raw)]
        return {fits[0] if fits else wanted[0]: raw}
    if isinstance(raw, list) and not any(isinstance(a, np.ndarray) or a is None for a in raw):
        return {wanted[0]: raw}
    return dict(zip(_order(raw, wanted, shapes, {} if seen is None else seen), raw, strict=False))


def _order(
    raw: Sequence[Any],
    wanted: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]],
    seen: dict[tuple[str, ...], int],
) -> tuple[str, ...]:
    """Return the names of a tuple's parts: as usual, unless another order fits all parts, now and before."""
    count = min(len(raw), len(wanted))
    usual = tuple(wanted[:count])
    for order in permutations(wanted, count):
        fits = sum(a is not None and np.shape(a) == shapes[n] for a, n in zip(raw, order, strict=False))
        seen[order] = seen.get(order, 0) + (fits if count < len(wanted) or fits == count or order == usual else 0)
    return max(permutations(wanted, count), key=lambda order: (seen[order], order == usual))


def _from_mapping(raw: Mapping[Any, Any], wanted: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in raw.items():
        name = str(key).lower()
        for output in wanted:
            if name == output or name in GRADIENTS.get(output, ()):
                found.setdefault(output, value)
    return found


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


@dataclass(frozen=True)
class Layout:
    """How a person orders the axes of images and weights."""

    images: str = "NCHW"
    weights: str = "FCRS"

    @property
    def usual(self) -> bool:
        """Whether nothing has to be turned."""
        return self.images == "NCHW" and self.weights in ("FCRS", "OIHW", "OI")

    def _axes(self, name: str, ndim: int) -> tuple[int, ...] | None:
        if name in ("x", "dx", "y", "dy") and ndim == 4 and self.images != "NCHW":
            return tuple("NCHW".index(letter) for letter in self.images)
        if name in ("w", "dw") and ndim == 4 and self.weights not in ("FCRS", "OIHW"):
            letters = self.weights.translate(str.maketrans("OIHW", "FCRS"))
            return tuple("FCRS".index(letter) for letter in letters)
        if name in ("w", "dw") and ndim == 2 and self.weights == "IO":
            return (1, 0)
        return None

    def to_person(self, name: str, array: Array) -> Array:
        """Return an array as the person orders it."""
        axes = self._axes(name, array.ndim)
        return array if axes is None else np.ascontiguousarray(array.transpose(axes))

    def from_person(self, name: str, array: Array) -> Array:
        """Return a person's array in the usual order."""
        axes = self._axes(name, array.ndim)
        return array if axes is None else array.transpose(np.argsort(axes))

    def shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return a usual shape as the person orders it."""
        axes = self._axes(name, len(shape))
        return shape if axes is None else tuple(shape[axis] for axis in axes)
