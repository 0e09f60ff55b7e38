"""Activations: those that there are here, and those that can be put together from them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from whygrad.interop.onnx.building import Builder, known, scalar, traced
from whygrad.interop.onnx.mappers.arithmetic import times
from whygrad.interop.onnx.mappers.constants import scaled, weighted
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Known, Traced, UnsupportedError, Value
from whygrad.layers import ELU, GELU, Clip, Layer, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh

Make = Callable[[OnnxNode], Layer]


def entrywise(make: Make) -> Callable[[OnnxNode, list[Value], Builder], Traced]:
    """Return the mapper of an activation that is one layer."""

    def mapper(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
        return builder.layer(make(node), traced(inputs[0]))

    return mapper


def gelu_of(node: OnnxNode) -> Layer:
    """Return GELU, exact or approximate."""
    how = node.text("approximate", "none")
    if how not in ("none", "tanh"):
        raise UnsupportedError(f"its approximation is {how!r}")
    return GELU("tanh" if how == "tanh" else "none")


def clip(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a cut-off, whose bounds have to be constants."""
    low, high = node.number("min", -inf), node.number("max", inf)
    if node.opset >= 11:
        low, high = (
            scalar(inputs[i] if len(inputs) > i else None, "bound", default) for i, default in ((1, -inf), (2, inf))
        )
    return builder.layer(Clip(low, high), traced(inputs[0]))


def selu(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make γ·elu(x, α)."""
    alpha, gamma = node.number("alpha", 1.67326319217681884765625), node.number("gamma", 1.05070102214813232421875)
    return scaled(builder.layer(ELU(alpha), traced(inputs[0])), gamma, builder)


def celu(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make α·elu(x/α)."""
    alpha = node.number("alpha", 1.0)
    if not alpha:
        raise UnsupportedError("its alpha is 0")
    return scaled(builder.layer(ELU(), scaled(traced(inputs[0]), 1 / alpha, builder)), alpha, builder)


def hard_sigmoid(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make min(max(αx + β, 0), 1)."""
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return builder.layer(Clip(0.0, 1.0), scaled(traced(inputs[0]), alpha, builder, beta))


def hard_swish(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make x·min(max(x/6 + 1/2, 0), 1)."""
    x = traced(inputs[0])
    return times(x, builder.layer(Clip(0.0, 1.0), scaled(x, 1 / 6, builder, 0.5)), builder)


def swish(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make x·σ(αx)."""
    x, alpha = traced(inputs[0]), node.number("alpha", 1.0)
    if alpha == 1.0:
        return builder.layer(SiLU(), x)
    return times(x, builder.layer(Sigmoid(), scaled(x, alpha, builder)), builder)


def mish(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make x·tanh(softplus(x))."""
    x = traced(inputs[0])
    return times(x, builder.layer(Tanh(), builder.layer(Softplus(), x)), builder)


def prelu(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make max(x, 0) + slope·min(x, 0), whose slope is trained."""
    x = traced(inputs[0])
    known(inputs[1], "slope")
    assert isinstance(inputs[1], Known)
    below = weighted(builder.layer(Clip(-inf, 0.0), x), inputs[1], builder)
    return builder.add(builder.layer(ReLU(), x), below)


ENTRYWISE: dict[str, Make] = {
    "Relu": lambda node: ReLU(),
    "LeakyRelu": lambda node: LeakyReLU(node.number("alpha", 0.01)),
    "Elu": lambda node: ELU(node.number("alpha", 1.0)),
    "Sigmoid": lambda node: Sigmoid(),
    "Tanh": lambda node: Tanh(),
    "Softplus": lambda node: Softplus(),
    "Gelu": gelu_of,
}
