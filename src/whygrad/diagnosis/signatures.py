"""What people call their arguments and results, and what each of them is."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import permutations
from types import CodeType
from typing import Any

import numpy as np

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
