"""The writer of each layer."""

from __future__ import annotations

from collections.abc import Callable

from whygrad import layers
from whygrad.interop.onnx.writers import entrywise, shapes, windows
from whygrad.interop.onnx.writers.entrywise import plain
from whygrad.layers import Layer

#: Writes a layer, given the names of its parameters by its own, and its inputs; returns the name of its value.
Writer = Callable[..., str]

WRITERS: dict[type[Layer], Writer] = {
    layers.Add: shapes.add,
    layers.Scale: shapes.scale,
    layers.AvgPool2d: windows.avg_pool2d,
    layers.BatchNorm2d: entrywise.batch_norm2d,
    layers.Clip: entrywise.clip,
    layers.Concat: shapes.concat,
    layers.Conv2d: windows.conv2d,
    layers.ConvTranspose2d: windows.conv_transpose2d,
    layers.Dropout: shapes.dropout,
    layers.ELU: plain("Elu", alpha=lambda layer: float(layer.alpha)),
    layers.Flatten: shapes.flatten,
    layers.GELU: plain("Gelu", approximate=lambda layer: layer.approximate),
    layers.GlobalAvgPool2d: windows.global_avg_pool2d,
    layers.LRN: entrywise.lrn,
    layers.LayerNorm: entrywise.layer_norm,
    layers.LeakyReLU: plain("LeakyRelu", alpha=lambda layer: float(layer.negative_slope)),
    layers.Linear: shapes.linear,
    layers.LogSoftmax: plain("LogSoftmax", axis=lambda layer: layer.axis),
    layers.MaxPool2d: windows.max_pool2d,
    layers.Mul: shapes.mul,
    layers.Pad2d: shapes.pad2d,
    layers.ReLU: plain("Relu"),
    layers.Reshape: shapes.reshape,
    layers.SiLU: entrywise.silu,
    layers.Sigmoid: plain("Sigmoid"),
    layers.Softmax: plain("Softmax", axis=lambda layer: layer.axis),
    layers.Softplus: plain("Softplus"),
    layers.Take2d: shapes.take2d,
    layers.Tanh: plain("Tanh"),
    layers.Transpose: shapes.transpose,
    layers.UpsampleNearest2d: shapes.upsample_nearest2d,
}
