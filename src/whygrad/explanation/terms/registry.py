"""The rules of every operation and every loss, by name."""

from __future__ import annotations

from collections.abc import Mapping

from whygrad.errors import OptionError
from whygrad.explanation.terms import (
    add,
    avg_pool2d,
    batch_norm2d,
    binary_cross_entropy,
    clip,
    concat,
    conv2d,
    conv_transpose2d,
    cross_entropy,
    dropout,
    elu,
    flatten,
    gelu,
    global_avg_pool2d,
    half_squared_error,
    hinge,
    layer_norm,
    leaky_relu,
    linear,
    log_softmax,
    lrn,
    max_pool2d,
    mean_squared_error,
    mul,
    pad2d,
    relu,
    reshape,
    scale,
    sigmoid,
    silu,
    softmax,
    softplus,
    take2d,
    tanh,
    transpose,
    upsample_nearest2d,
)
from whygrad.explanation.terms.rule import Rule

_MODULES = (
    add, avg_pool2d, batch_norm2d, binary_cross_entropy, clip, concat, conv2d, conv_transpose2d, cross_entropy,
    dropout, elu, flatten, gelu, global_avg_pool2d, half_squared_error, hinge, layer_norm, leaky_relu, linear,
    log_softmax, lrn, max_pool2d, mean_squared_error, mul, pad2d, relu, reshape, scale, sigmoid, silu, softmax,
    softplus, take2d, tanh, transpose, upsample_nearest2d,
)  # fmt: skip

#: By the name of the operation or loss, then by the name of the array: "y", "dx", "dw", ...
RULES: dict[str, Mapping[str, Rule]] = {module.__name__.rpartition(".")[2]: module.RULES for module in _MODULES}


def rule(op: str, array: str) -> Rule:
    """Return how an entry of an operation's value "y" or of one of its gradients, "dx" say, comes about.

    Raises:
        OptionError: there is no such operation, or it has no such array.

    Example:
        >>> rule("linear", "dw").formula
        'dw[f,d] = Σ_{n} dy[n,f]·x[n,d]'
    """
    if op not in RULES:
        raise OptionError("explain", f"one of {', '.join(RULES)}", f"{op!r}", "check the spelling")
    if op == "concat" and array.startswith("d"):
        return concat.of_input(array[1:])
    if array not in RULES[op]:
        raise OptionError("explain", f"{op}'s {' or '.join(RULES[op])}", f"{array!r}", "check the spelling")
    return RULES[op][array]
