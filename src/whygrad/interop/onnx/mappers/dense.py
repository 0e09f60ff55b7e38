"""Gemm and MatMul: products with a fixed matrix."""

from __future__ import annotations

from math import prod

import numpy as np

from whygrad.interop.onnx.building import Builder, parameter, traced
from whygrad.interop.onnx.mappers.constants import shifted
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Known, Traced, UnsupportedError, Value
from whygrad.layers import Conv2d, Linear
from whygrad.typing import Array


def gemm(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make alpha·A·B + beta·C, whose factors become part of the parameters."""
    a = traced(inputs[0], "first input")
    w, name = parameter(inputs[1], "second input", a.dtype)
    if w.ndim != 2 or builder.rank(a) != 2:
        raise UnsupportedError(f"it multiplies {builder.rank(a)} and {w.ndim} axes")
    if node.integer("transA", 0):
        order = (builder.axis(1, 2), builder.axis(0, 2))  # refused where axis 0 is the batch
        a = builder.transpose(a, order)
    w = w if node.integer("transB", 0) else w.T
    w = _times(w, node.number("alpha", 1.0))
    b, bias = None, ""
    if len(inputs) > 2 and inputs[2] is not None:
        b, bias = parameter(inputs[2], "third input", a.dtype)
        b = _times(b, node.number("beta", 1.0))
    if b is not None and (b.size == 1 or b.size == b.shape[-1]) and b.shape[-1:] in ((), (1,), (w.shape[0],)):
        return product(a, w, np.broadcast_to(b.ravel(), (w.shape[0],)).copy(), (name, bias), builder)
    y = product(a, w, None, (name,), builder)
    return y if b is None else shifted(y, Known(b, bias), builder)


def _times(array: Array, factor: float) -> Array:
    return array if factor == 1.0 else array * array.dtype.type(factor)


def matmul(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a product with a fixed matrix, from the right."""
    a = traced(inputs[0], "first input")
    w, name = parameter(inputs[1], "second input", a.dtype)
    if w.ndim > 2 and prod(w.shape[:-2]) == 1 and w.ndim <= builder.rank(a):
        w = w.reshape(w.shape[-2:])
    if w.ndim not in (1, 2):
        raise UnsupportedError(f"its second factor of shape {w.shape} is a stack of matrices")
    y = product(a, w.T if w.ndim == 2 else w[None], None, (name,), builder)
    return y if w.ndim == 2 else builder.reshape(y, y.shape[:-1])


def product(a: Traced, w: Array, b: Array | None, names: tuple[str, ...], builder: Builder) -> Traced:
    """Return the products of the last axis of a with the rows of w (F, D), plus b."""
    if not a.shape or a.shape[-1] != w.shape[1] or 0 in w.shape:
        raise UnsupportedError(f"its factors of shapes {a.shape} a sample and {w.T.shape} do not fit together")
    own = {"weight": np.ascontiguousarray(w)} | ({} if b is None else {"bias": b})
    features, filters = w.shape[1], w.shape[0]
    if len(a.shape) == 1:
        return builder.layer(Linear(features, filters, bias=b is not None), a, parameters=own, names=names)
    # Every row of a is a pixel whose channels are mixed by a 1x1 convolution.
    own["weight"] = own["weight"][:, :, None, None]
    before, last = a.shape[:-1], len(a.shape) - 1
    pixels = builder.reshape(builder.transpose(a, (last, *range(last))), (features, prod(before), 1))
    mixed = builder.layer(Conv2d(features, filters, 1, bias=b is not None), pixels, parameters=own, names=names)
    return builder.transpose(builder.reshape(mixed, (filters, *before)), (*range(1, last + 1), 0))
