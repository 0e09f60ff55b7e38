"""Softmax and LogSoftmax."""

from __future__ import annotations

from math import prod

from whygrad.interop.onnx.building import Builder, traced
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Traced, Value
from whygrad.layers import LogSoftmax, Softmax


def softmax(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a softmax along one axis; before version 13 along all from there on together."""
    x = traced(inputs[0])
    rank = builder.rank(x)
    axis = builder.axis(node.integer("axis", -1 if node.opset >= 13 else 1), rank)
    make = Softmax if node.op == "Softmax" else LogSoftmax
    if node.opset < 13 and axis != len(x.shape) - 1:
        rows = builder.reshape(x, (*x.shape[:axis], prod(x.shape[axis:])))
        return builder.reshape(builder.layer(make(axis + 1), rows), x.shape)
    return builder.layer(make(axis + 1), x)
