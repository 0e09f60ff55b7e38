"""BatchNormalization, LayerNormalization and LRN."""

from __future__ import annotations

from math import prod

import numpy as np

from whygrad.interop.onnx.building import Builder, parameter, traced
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Traced, UnsupportedError, Value
from whygrad.layers import LRN, BatchNorm2d, LayerNorm

_NAMES = ("weight", "bias", "running_mean", "running_var")


def batch_norm(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a batch normalisation, which in training takes the statistics of the batch."""
    x = traced(inputs[0])
    if not builder.batched or not x.shape:
        raise UnsupportedError("it needs a batch axis and channels")
    if node.opset < 9 or not node.integer("spatial", 1):
        raise UnsupportedError("it normalises every pixel by itself")
    read = [parameter(value, what, x.dtype) for value, what in zip(inputs[1:5], _NAMES, strict=True)]
    own = {short: array for short, (array, _) in zip(_NAMES, read, strict=True)}
    channels = x.shape[0]
    if any(array.shape != (channels,) for array in own.values()):
        raise UnsupportedError(f"its parameters are not of shape ({channels},)")
    if not (own["running_var"] >= 0).all():
        raise UnsupportedError("its variances are negative")
    momentum = round(1 - node.number("momentum", 0.9), 9)
    layer = BatchNorm2d(channels, eps=node.number("epsilon", 1e-5), momentum=momentum)
    image = x if len(x.shape) == 3 else builder.reshape(x, (channels, 1, prod(x.shape[1:])))
    y = builder.layer(layer, image, parameters=own, names=[name for _, name in read])
    return builder.reshape(y, x.shape)


def layer_norm(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a layer normalisation over the last axes."""
    x = traced(inputs[0])
    rank = builder.rank(x)
    shape = x.shape[builder.axis(node.integer("axis", -1), rank) :]
    if node.integer("stash_type", 1) != 1:
        raise UnsupportedError("it computes in another precision")
    scale, name = parameter(inputs[1], "scale", x.dtype)
    shift, second = np.zeros(shape, x.dtype), ""
    if len(inputs) > 2 and inputs[2] is not None:
        shift, second = parameter(inputs[2], "bias", x.dtype)
    try:
        own = {k: np.broadcast_to(v, shape).copy() for k, v in (("weight", scale), ("bias", shift))}
    except ValueError:
        raise UnsupportedError(f"its scale and bias do not fit {shape}") from None
    layer = LayerNorm(shape, eps=node.number("epsilon", 1e-5))
    return builder.layer(layer, x, parameters=own, names=filter(None, (name, second)))


def lrn(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a local response normalisation."""
    x = traced(inputs[0])
    if not builder.batched:
        raise UnsupportedError("it needs a batch axis before the channels")
    layer = LRN(
        node.integer("size", 0), node.number("alpha", 1e-4), node.number("beta", 0.75), node.number("bias", 1.0)
    )
    return builder.layer(layer, x)
