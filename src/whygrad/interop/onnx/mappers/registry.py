"""The mapper of each of ONNX's operations."""

from __future__ import annotations

from collections.abc import Callable

from whygrad.interop.onnx.building import Builder
from whygrad.interop.onnx.mappers import (
    activations,
    arithmetic,
    conv,
    dense,
    normalising,
    parts,
    pooling,
    shapes,
    softmax,
)
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Traced, Value

#: Makes the layers of a node, and returns its first value, or all.
Mapper = Callable[[OnnxNode, list[Value], Builder], Traced | list[Value]]

MAPPERS: dict[str, Mapper] = {
    "Add": arithmetic.add,
    "AveragePool": pooling.average_pool,
    "BatchNormalization": normalising.batch_norm,
    "Cast": shapes.cast,
    "CastLike": shapes.cast,
    "Celu": activations.celu,
    "Clip": activations.clip,
    "Concat": parts.concat,
    "Conv": conv.conv,
    "ConvTranspose": conv.conv_transpose,
    "DepthToSpace": shapes.blocks,
    "Div": arithmetic.divide,
    "Dropout": shapes.dropout,
    "Expand": shapes.expand,
    "Flatten": shapes.flatten,
    "Gather": parts.gather,
    "Gemm": dense.gemm,
    "GlobalAveragePool": pooling.global_pool,
    "GlobalMaxPool": pooling.global_pool,
    "HardSigmoid": activations.hard_sigmoid,
    "HardSwish": activations.hard_swish,
    "Identity": shapes.identity,
    "LRN": normalising.lrn,
    "LayerNormalization": normalising.layer_norm,
    "LogSoftmax": softmax.softmax,
    "MatMul": dense.matmul,
    "MaxPool": pooling.max_pool,
    "Mean": arithmetic.total,
    "Mish": activations.mish,
    "Mul": arithmetic.multiply,
    "Neg": arithmetic.negate,
    "PRelu": activations.prelu,
    "Pad": parts.pad,
    "Pow": arithmetic.power,
    "ReduceMean": pooling.reduce_mean,
    "Reshape": shapes.reshape,
    "Resize": parts.resize,
    "Selu": activations.selu,
    "Slice": parts.slice_,
    "Softmax": softmax.softmax,
    "SpaceToDepth": shapes.blocks,
    "Split": parts.split,
    "Squeeze": shapes.squeeze,
    "Sub": arithmetic.subtract,
    "Sum": arithmetic.total,
    "Swish": activations.swish,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.unsqueeze,
    "Upsample": parts.resize,
    **{op: activations.entrywise(make) for op, make in activations.ENTRYWISE.items()},
}
