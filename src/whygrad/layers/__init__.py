"""The layers: hyper-parameters and parameter shapes around the operations, and what composes them."""

from whygrad.layers.add import Add
from whygrad.layers.avg_pool2d import AvgPool2d
from whygrad.layers.batch_norm2d import BatchNorm2d
from whygrad.layers.clip import Clip
from whygrad.layers.concat import Concat
from whygrad.layers.conv2d import Conv2d
from whygrad.layers.conv_transpose2d import ConvTranspose2d
from whygrad.layers.dropout import Dropout
from whygrad.layers.elu import ELU
from whygrad.layers.flatten import Flatten
from whygrad.layers.gelu import GELU
from whygrad.layers.global_avg_pool2d import GlobalAvgPool2d
from whygrad.layers.graph import Graph, Node
from whygrad.layers.layer import Layer, LayerPullback, LayerResult, Parameter, count
from whygrad.layers.layer_norm import LayerNorm
from whygrad.layers.leaky_relu import LeakyReLU
from whygrad.layers.linear import Linear
from whygrad.layers.log_softmax import LogSoftmax
from whygrad.layers.lrn import LRN
from whygrad.layers.max_pool2d import MaxPool2d
from whygrad.layers.mul import Mul
from whygrad.layers.pad2d import Pad2d
from whygrad.layers.relu import ReLU
from whygrad.layers.reshape import Reshape
from whygrad.layers.residual import Residual
from whygrad.layers.scale import Scale
from whygrad.layers.sequential import Sequential
from whygrad.layers.sigmoid import Sigmoid
from whygrad.layers.silu import SiLU
from whygrad.layers.softmax import Softmax
from whygrad.layers.softplus import Softplus
from whygrad.layers.take2d import Take2d
from whygrad.layers.tanh import Tanh
from whygrad.layers.transpose import Transpose
from whygrad.layers.upsample_nearest2d import UpsampleNearest2d

__all__ = [
    "ELU",
    "GELU",
    "LRN",
    "Add",
    "AvgPool2d",
    "BatchNorm2d",
    "Clip",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "Graph",
    "Layer",
    "LayerNorm",
    "LayerPullback",
    "LayerResult",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "Mul",
    "Node",
    "Pad2d",
    "Parameter",
    "ReLU",
    "Reshape",
    "Residual",
    "Scale",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Take2d",
    "Tanh",
    "Transpose",
    "UpsampleNearest2d",
    "count",
]
