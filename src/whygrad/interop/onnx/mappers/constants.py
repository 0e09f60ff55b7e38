"""Arithmetic of a value with a constant: scale and shift, whose trained ones stand in the file under a name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from whygrad.interop.onnx.building import Builder, parameter
from whygrad.interop.onnx.values import Known, Traced, UnsupportedError
from whygrad.layers import Conv2d, ConvTranspose2d, Linear, Scale
from whygrad.typing import Array, Shape


class given:  # noqa: N801  (reads as the functions that it stands among)
    """An initializer that returns the numbers of a file.

    Args:
        array: the numbers.

    Example:
        >>> given(np.array([1.0, 2.0]))(np.random.default_rng(0), (2,), np.float32)
        array([1., 2.], dtype=float32)
    """

    __name__ = "given"

    def __init__(self, array: Array) -> None:
        self.array = array

    def __call__(self, rng: np.random.Generator, shape: Shape, dtype: Any = np.float32) -> Array:
        """Return a copy of the numbers; nothing is drawn."""
        del rng
        return np.array(self.array, dtype).reshape(shape)

    def __repr__(self) -> str:
        return "given"


def weighted(x: Traced, constant: Known, builder: Builder, *, trained: bool = True) -> Traced:
    """Return x times a constant."""
    x, w = fitted(x, constant, builder)
    learned = trained and is_parameter(constant)
    layer = Scale(w.shape, bias=False, trained=("weight",))
    if not learned:
        layer = replace(layer, trained=(), weight_init=given(w))
    return builder.layer(layer, x, parameters={"weight": w}, names=_named(constant, learned))


def shifted(
    x: Traced, constant: Known, builder: Builder, *, factor: float = 1.0, trained: bool = True, once: bool = False
) -> Traced:
    """Return factor·x plus a constant; with ``once`` as the bias of the layer before, if it lacks one."""
    x, b = fitted(x, constant, builder)
    learned = trained and is_parameter(constant)
    if once and learned:
        joined = _as_bias(x, b, builder)
        if joined is not None:
            return joined
    w = np.full((1,) * len(x.shape), factor, x.dtype)
    layer = Scale(w.shape, b.shape, trained=("bias",), weight_init=given(w))
    if not learned:
        layer = replace(layer, trained=(), bias_init=given(b))
    return builder.layer(layer, x, parameters={"weight": w, "bias": b}, names=_named(constant, learned))


def scaled(x: Traced, factor: float, builder: Builder, shift: float = 0.0) -> Traced:
    """Return factor·x + shift."""
    if shift:
        return shifted(x, Known(np.array(shift, x.dtype)), builder, factor=factor)
    return weighted(x, Known(np.array(factor, x.dtype)), builder)


def _as_bias(x: Traced, b: Array, builder: Builder) -> Traced | None:
    """Make a constant the bias of the layer that made x, if there is one without a bias and it is one a channel."""
    layer = builder.layer_of(x)
    if (
        not isinstance(layer, Linear | Conv2d | ConvTranspose2d)
        or layer.bias is not False
        or b.size != b.shape[0]
        or b.shape[0] != x.shape[0]
    ):
        return None
    return builder.replace(x, replace(layer, bias=True), {"bias": b.ravel()})


def is_parameter(constant: Known) -> bool:
    """Return whether a constant is one that training changes: an initializer of several numbers."""
    return bool(constant.name) and constant.array.size > 1


def _named(constant: Known, learned: bool) -> tuple[str, ...]:
    return (constant.name,) if learned else ()


def fitted(x: Traced, constant: Known, builder: Builder) -> tuple[Traced, Array]:
    """Return x and a constant with as many axes as a sample of x; x stretched where the constant is larger."""
    array, _ = parameter(constant, "constant", x.dtype)
    if builder.batched and array.ndim == len(x.shape) + 1:
        if array.shape[0] != 1:
            raise UnsupportedError(f"its constant of shape {array.shape} differs from sample to sample")
        array = array[0]
    if array.ndim < len(x.shape):
        array = array.reshape((1,) * (len(x.shape) - array.ndim) + array.shape)
    try:
        joint = np.broadcast_shapes(array.shape, x.shape)
    except ValueError:
        raise UnsupportedError(f"its constant of shape {array.shape} does not fit samples of {x.shape}") from None
    if builder.batched and len(joint) > len(x.shape):
        raise UnsupportedError(f"its constant of shape {array.shape} has more axes than samples of {x.shape}")
    return builder.stretch(x, joint), array.reshape((1,) * (len(joint) - array.ndim) + array.shape)
