"""The operations: every one a function ``y, pullback = op(...)`` with a backward pass derived by hand."""

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
from whygrad.ops.registry import OPERATIONS, Operation, operation
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

__all__ = [
    "OPERATIONS",
    "BatchNorm",
    "Operation",
    "Sample",
    "add",
    "avg_pool2d",
    "batch_norm2d",
    "clip",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "dropout",
    "elu",
    "flatten",
    "gelu",
    "global_avg_pool2d",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "lrn",
    "max_pool2d",
    "mul",
    "operation",
    "pad2d",
    "relu",
    "reshape",
    "scale",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "take2d",
    "tanh",
    "transpose",
    "upsample_nearest2d",
]
