"""Add, Sub, Mul, Div, Neg, Sum, Mean and Pow: of two values, or of a value and a constant."""

from __future__ import annotations

import numpy as np

from whygrad.interop.onnx.building import Builder, traced
from whygrad.interop.onnx.mappers.constants import scaled, shifted, weighted
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Known, Traced, UnsupportedError, Value
from whygrad.layers import Mul


def add(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a sum, or the bias of the layer before."""
    a, b = inputs
    if isinstance(a, Known):
        a, b = b, a
    a = traced(a)
    if isinstance(b, Known):
        name = next(name for name in node.inputs if builder.values[name] is a)
        return shifted(a, b, builder, once=builder.used_once(a, name))
    return builder.add(*_alike(a, traced(b), builder))


def subtract(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a difference: a sum with the opposite."""
    a, b = inputs
    if isinstance(a, Known):
        return shifted(traced(b), a, builder, factor=-1.0, trained=False)
    if isinstance(b, Known):
        return shifted(traced(a), Known(-b.array), builder, trained=False)
    return builder.add(*_alike(traced(a), scaled(traced(b), -1.0, builder), builder))


def multiply(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a product."""
    a, b = inputs
    if isinstance(a, Known):
        a, b = b, a
    if isinstance(b, Known):
        return weighted(traced(a), b, builder)
    return times(traced(a), traced(b), builder)


def times(a: Traced, b: Traced, builder: Builder) -> Traced:
    """Return a product of two values; the smaller one gates the larger."""
    if len(a.shape) == len(b.shape) and any(m < n for m, n in zip(a.shape, b.shape, strict=True)):
        a, b = b, a
    if len(a.shape) == len(b.shape) and all(n in (1, m) for m, n in zip(a.shape, b.shape, strict=True)):
        return builder.layer(Mul(), a, b)
    return builder.layer(Mul(), *_alike(a, b, builder))


def divide(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a quotient by a constant."""
    divisor = inputs[1]
    if not isinstance(divisor, Known):
        raise UnsupportedError("it divides by what the network computes")
    if not np.issubdtype(divisor.array.dtype, np.floating) or not divisor.array.all():
        raise UnsupportedError("it divides by 0, or by whole numbers")
    inverse = (1 / divisor.array.astype(np.float64)).astype(divisor.array.dtype)
    return weighted(traced(inputs[0]), Known(inverse), builder, trained=False)


def negate(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make the opposite."""
    return scaled(traced(inputs[0]), -1.0, builder)


def total(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a sum of any number of values, or their mean."""
    values = [traced(value) for value in inputs]
    result = values[0]
    for value in values[1:]:
        result = builder.add(*_alike(result, value, builder))
    if node.op == "Mean" and len(values) > 1:
        return scaled(result, 1 / len(values), builder)
    return result


def power(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a square."""
    exponent = inputs[1]
    if not isinstance(exponent, Known) or exponent.array.size != 1 or exponent.array.item() != 2:
        raise UnsupportedError("only the power of 2 is known here")
    x = traced(inputs[0])
    return builder.layer(Mul(), x, x)


def _alike(a: Traced, b: Traced, builder: Builder) -> tuple[Traced, Traced]:
    """Return two values in one shape, repeated along axes of size 1 as ONNX broadcasts them."""
    if builder.batched and len(a.shape) != len(b.shape):
        raise UnsupportedError(f"it joins samples of {a.shape} and {b.shape}")
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise UnsupportedError(f"it joins samples of {a.shape} and {b.shape}") from None
    return builder.stretch(a, shape), builder.stretch(b, shape)
