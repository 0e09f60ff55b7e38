"""Conv and ConvTranspose."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.interop.onnx.building import Builder, parameter, traced
from whygrad.interop.onnx.mappers.constants import shifted
from whygrad.interop.onnx.mappers.windows import as_images, as_sequence, plain, sides_of, window
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Known, Traced, UnsupportedError, Value
from whygrad.layers import Conv2d, ConvTranspose2d, Pad2d
from whygrad.typing import Array


def conv(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a convolution."""
    x, flat = as_images(traced(inputs[0]), builder)
    w, b, names = _parameters(inputs, x.dtype, flat=flat)
    kernel = _kernel(node, w, flat=flat)
    where = window(node, x.shape[1:], kernel, flat=flat)
    groups = _groups(node, x, w.shape[1])
    if w.shape[0] % groups:
        raise UnsupportedError(f"{w.shape[0]} filters cannot be divided into {groups} groups")
    layer = Conv2d(
        x.shape[0], w.shape[0], plain(where.kernel), stride=plain(where.stride), padding=plain(where.padding),
        dilation=plain(where.dilation), groups=groups, bias=b is not None,
    )  # fmt: skip
    own = {"weight": w} | ({} if b is None else {"bias": b})
    return as_sequence(builder.layer(layer, x, parameters=own, names=names), builder, was=flat)


def conv_transpose(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a transposed convolution, with the padding that its output shape asks for."""
    x, flat = as_images(traced(inputs[0]), builder)
    w, b, names = _parameters(inputs, x.dtype, flat=flat)
    kernel = _kernel(node, w, flat=flat)
    where = window(node, x.shape[1:], kernel, flat=flat)
    groups = node.integer("group", 1)
    if groups < 1 or x.shape[0] % groups or w.shape[0] != x.shape[0]:
        raise UnsupportedError(
            f"its weights of shape {w.shape} do not fit {x.shape[0]} channels in {groups} groups"
        )
    extra, sides, beyond = _laid_down(node, x, where, flat=flat)
    late, b = (b, None) if any(beyond) else (None, b)
    layer = ConvTranspose2d(
        x.shape[0], w.shape[1] * groups, plain(where.kernel), stride=plain(where.stride), padding=plain(sides),
        output_padding=plain(extra), dilation=plain(where.dilation), groups=groups, bias=b is not None,
    )  # fmt: skip
    own = {"weight": w} | ({} if b is None else {"bias": b})
    y = builder.layer(layer, x, parameters=own, names=names)
    if any(beyond):
        y = builder.layer(Pad2d((0, beyond[0], 0, beyond[1])), y)
    if late is not None:
        y = shifted(y, Known(late[:, None, None], names[-1] if len(names) > 1 else ""), builder)
    return as_sequence(y, builder, was=flat)


def _laid_down(
    node: OnnxNode, x: Traced, where: Any, *, flat: bool
) -> tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]:
    """Return output_padding, what is cut off the sides, and rows and columns of zeros that come on top."""
    given = node.integers("output_padding") or (0,) * (1 if flat else 2)
    shape = node.integers("output_shape")
    how = node.text("auto_pad", "NOTSET")
    if (
        len(given) != (1 if flat else 2)
        or min(given) < 0
        or (shape is not None and len(shape) not in (len(given), len(given) + 2))
    ):
        raise UnsupportedError(f"its output_padding is {given} and its output_shape {shape}")
    extra = [0, given[0]] if flat else list(given)
    if shape is None and how in ("SAME_UPPER", "SAME_LOWER"):
        shape = tuple(n * t for n, t in zip(x.shape[1:], where.stride, strict=True))[1 if flat else 0 :]
    sides, beyond = list(sides_of(node.integers("pads"), flat=flat)), [0, 0]
    if how == "VALID":
        sides = [0, 0, 0, 0]
    wanted: list[Any] = [None, None]
    if shape is not None:
        wanted = [1, shape[-1]] if flat else list(shape[-2:])
    for axis in (0, 1):
        t, d, k, n = where.stride[axis], where.dilation[axis], where.kernel[axis], x.shape[1 + axis]
        if wanted[axis] is not None:
            total = t * (n - 1) + extra[axis] + d * (k - 1) + 1 - wanted[axis]
            if total < 0:
                extra[axis], total = extra[axis] - total, 0
            half = total // 2
            sides[2 * axis : 2 * axis + 2] = (half, total - half) if how == "SAME_UPPER" else (total - half, half)
        most = max(t, d) - 1
        if extra[axis] > most:
            extra[axis], beyond[axis] = most, extra[axis] - most
    return (extra[0], extra[1]), (sides[0], sides[1], sides[2], sides[3]), (beyond[0], beyond[1])


def _groups(node: OnnxNode, x: Traced, per_group: int) -> int:
    groups = node.integer("group", 1)
    if groups < 1 or per_group * groups != x.shape[0]:
        raise UnsupportedError(f"its weights are for {per_group * groups} channels, its input has {x.shape[0]}")
    return groups


def _kernel(node: OnnxNode, w: Array, *, flat: bool) -> tuple[int, ...]:
    kernel = w.shape[3:] if flat else w.shape[2:]
    declared = node.integers("kernel_shape")
    if declared is not None and declared != kernel:
        raise UnsupportedError(f"its kernel_shape is {declared}, its weights are {w.shape}")
    return kernel


def _parameters(
    inputs: list[Value], dtype: np.dtype[Any], *, flat: bool
) -> tuple[Array, Array | None, tuple[str, ...]]:
    """Return weights, bias and the names of their initializers."""
    w, name = parameter(inputs[1], "weight", dtype)
    if w.ndim != (3 if flat else 4) or 0 in w.shape:
        raise UnsupportedError(f"its weights are of shape {w.shape}")
    b, bias = bias_of(inputs[2] if len(inputs) > 2 else None, dtype)
    return (w[:, :, None] if flat else w), b, tuple(filter(None, (name, bias)))


def bias_of(value: Value, dtype: npt.DTypeLike) -> tuple[Array | None, str]:
    """Return a bias and its name; none for zeros that only stand there because something had to."""
    if value is None:
        return None, ""
    b, name = parameter(value, "bias", np.dtype(dtype))
    return (b, name) if name or b.any() else (None, "")
