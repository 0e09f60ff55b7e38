"""The list of operations, each with sample inputs.

Whatever must hold for every operation iterates over ``OPERATIONS``, so that no operation escapes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.errors import OptionError
from whygrad.ops import samples
from whygrad.ops.add import add
from whygrad.ops.avg_pool2d import avg_pool2d
from whygrad.ops.batch_norm2d import BatchNorm, batch_norm2d
from whygrad.ops.clip import clip
from whygrad.ops.concat import concat
from whygrad.ops.conv2d import conv2d
from whygrad.ops.conv_transpose2d import conv_transpose2d
from whygrad.ops.dropout import dropout
from whygrad.ops.elu import elu
from whygrad.ops.flatten import flatten
from whygrad.ops.gelu import gelu
from whygrad.ops.global_avg_pool2d import global_avg_pool2d
from whygrad.ops.layer_norm import layer_norm
from whygrad.ops.leaky_relu import leaky_relu
from whygrad.ops.linear import linear
from whygrad.ops.log_softmax import log_softmax
from whygrad.ops.lrn import lrn
from whygrad.ops.max_pool2d import max_pool2d
from whygrad.ops.mul import mul
from whygrad.ops.pad2d import pad2d
from whygrad.ops.relu import relu
from whygrad.ops.reshape import reshape
from whygrad.ops.samples import Sample
from whygrad.ops.scale import scale
from whygrad.ops.sigmoid import sigmoid
from whygrad.ops.silu import silu
from whygrad.ops.softmax import softmax
from whygrad.ops.softplus import softplus
from whygrad.ops.take2d import take2d
from whygrad.ops.tanh import tanh
from whygrad.ops.transpose import transpose
from whygrad.ops.upsample_nearest2d import upsample_nearest2d
from whygrad.typing import Array, Pullback


class Operation(NamedTuple):
    """An operation and what tests and tools need to know to call it."""

    function: Callable[..., tuple[Any, Pullback]]
    samples: Callable[[np.random.Generator], list[Sample]]  #: float64 inputs, away from kinks
    batched: tuple[str, ...]  #: the inputs with a batch axis
    couples_samples: bool = False  #: whether one sample's value depends on the others

    def run(self, sample: Sample, inputs: Mapping[str, Array] | None = None) -> tuple[Array, Pullback]:
        """Call the operation on a sample, or on other inputs with the sample's options.

        Randomness is drawn anew from the sample's seed, so that two calls are alike.
        """
        arrays = (inputs or sample.inputs).values()
        options = dict(sample.options)
        if "rng" in options:
            options["rng"] = np.random.default_rng(options["rng"])
        value, pullback = self.function(*arrays, *sample.constants, **options)
        return (value.y if isinstance(value, BatchNorm) else value), pullback


OPERATIONS: dict[str, Operation] = {
    "add": Operation(add, samples.add, ("a", "b")),
    "avg_pool2d": Operation(avg_pool2d, samples.avg_pool2d, ("x",)),
    "batch_norm2d": Operation(batch_norm2d, samples.batch_norm2d, ("x",), couples_samples=True),
    "clip": Operation(clip, samples.clip, ("x",)),
    "concat": Operation(concat, samples.concat, ("a", "b", "c")),
    "conv2d": Operation(conv2d, samples.conv2d, ("x",)),
    "conv_transpose2d": Operation(conv_transpose2d, samples.conv_transpose2d, ("x",)),
    "dropout": Operation(dropout, samples.dropout, ("x",), couples_samples=True),
    "elu": Operation(elu, samples.elu, ("x",)),
    "flatten": Operation(flatten, samples.flatten, ("x",)),
    "gelu": Operation(gelu, samples.gelu, ("x",)),
    "global_avg_pool2d": Operation(global_avg_pool2d, samples.images, ("x",)),
    "layer_norm": Operation(layer_norm, samples.layer_norm, ("x",)),
    "leaky_relu": Operation(leaky_relu, samples.leaky_relu, ("x",)),
    "linear": Operation(linear, samples.linear, ("x",)),
    "log_softmax": Operation(log_softmax, samples.softmax, ("x",)),
    "lrn": Operation(lrn, samples.lrn, ("x",)),
    "max_pool2d": Operation(max_pool2d, samples.max_pool2d, ("x",)),
    "mul": Operation(mul, samples.mul, ("a", "b")),
    "pad2d": Operation(pad2d, samples.pad2d, ("x",)),
    "relu": Operation(relu, samples.images, ("x",)),
    "reshape": Operation(reshape, samples.reshape, ("x",)),
    "scale": Operation(scale, samples.scale, ("x",)),
    "sigmoid": Operation(sigmoid, samples.images, ("x",)),
    "silu": Operation(silu, samples.images, ("x",)),
    "softmax": Operation(softmax, samples.softmax, ("x",)),
    "softplus": Operation(softplus, samples.images, ("x",)),
    "take2d": Operation(take2d, samples.take2d, ("x",)),
    "tanh": Operation(tanh, samples.images, ("x",)),
    "transpose": Operation(transpose, samples.transpose, ("x",)),
    "upsample_nearest2d": Operation(upsample_nearest2d, samples.upsample_nearest2d, ("x",)),
}


def operation(name: str) -> Operation:
    """Return the registered operation of that name.

    Raises:
        OptionError: there is no such operation.

    Example:
        >>> operation("conv2d").batched
        ('x',)
    """
    if name not in OPERATIONS:
        raise OptionError("registry", f"one of {', '.join(OPERATIONS)}", f"{name!r}", "check the spelling")
    return OPERATIONS[name]
