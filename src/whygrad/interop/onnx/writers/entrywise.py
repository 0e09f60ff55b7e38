"""Activations, softmax and normalisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from whygrad.interop.onnx.script import Script, Written
from whygrad.layers import LRN, BatchNorm2d, Clip, LayerNorm, SiLU


def plain(op: str, **options: Callable[[Any], Any]) -> Callable[..., str]:
    """Return the writer of a layer that is one node, whose attributes are read off the layer."""

    def writer(layer: Any, own: dict[str, str], script: Script, x: Written) -> str:
        return script.node(op, x.name, **{name: read(layer) for name, read in options.items()})

    return writer


def silu(layer: SiLU, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Sigmoid and Mul."""
    return script.node("Mul", x.name, script.node("Sigmoid", x.name))


def clip(layer: Clip, own: dict[str, str], script: Script, x: Written) -> str:
    """Write Clip, without the bounds that are infinite; the upper one holds where they contradict each other."""
    low, high = min(layer.low, layer.high), layer.high
    bounds = [
        script.number(name, value) if np.isfinite(value) else "" for name, value in (("low", low), ("high", high))
    ]
    return script.node("Clip", x.name, *bounds)


def batch_norm2d(layer: BatchNorm2d, own: dict[str, str], script: Script, x: Written) -> str:
    """Write BatchNormalization."""
    return script.node(
        "BatchNormalization", x.name, *own.values(), epsilon=float(layer.eps), momentum=float(1 - layer.momentum)
    )


def layer_norm(layer: LayerNorm, own: dict[str, str], script: Script, x: Written) -> str:
    """Write LayerNormalization."""
    axes = len(layer.shape) if isinstance(layer.shape, tuple) else 1
    return script.node("LayerNormalization", x.name, *own.values(), axis=-axes, epsilon=float(layer.eps))


def lrn(layer: LRN, own: dict[str, str], script: Script, x: Written) -> str:
    """Write LRN."""
    return script.node(
        "LRN", x.name, size=layer.size, alpha=float(layer.alpha), beta=float(layer.beta), bias=float(layer.k)
    )
