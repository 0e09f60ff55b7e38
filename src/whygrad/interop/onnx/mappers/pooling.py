"""MaxPool, AveragePool and their global forms."""

from __future__ import annotations

from math import prod

from whygrad.interop.onnx.building import Builder, optional, traced
from whygrad.interop.onnx.folding import axes_of
from whygrad.interop.onnx.mappers.windows import Window, as_images, as_sequence, plain, window
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Traced, UnsupportedError, Value
from whygrad.layers import AvgPool2d, GlobalAvgPool2d, MaxPool2d, Pad2d, Take2d


def max_pool(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a max-pooling."""
    x, flat = as_images(traced(inputs[0]), builder)
    where = window(node, x.shape[1:], _kernel(node), flat=flat)
    kernel, stride = plain(where.kernel), plain(where.stride)
    layer = MaxPool2d(
        kernel, None if stride == kernel else stride, plain(where.padding), plain(where.dilation), where.ceil
    )
    return as_sequence(builder.layer(layer, x), builder, was=flat)


def average_pool(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make an average pooling; of windows with gaps, by laying what they see side by side."""
    x, flat = as_images(traced(inputs[0]), builder)
    where = window(node, x.shape[1:], _kernel(node), flat=flat)
    counted = bool(node.integer("count_include_pad", 0))
    if where.dilation != (1, 1):
        return as_sequence(_with_gaps(x, where, builder, counted=counted), builder, was=flat)
    kernel, stride = plain(where.kernel), plain(where.stride)
    counted |= not any(where.padding)
    layer = AvgPool2d(kernel, None if stride == kernel else stride, plain(where.padding), where.ceil, counted)
    return as_sequence(builder.layer(layer, x), builder, was=flat)


def _with_gaps(x: Traced, where: Window, builder: Builder, *, counted: bool) -> Traced:
    if any(where.padding):
        if not counted:
            raise UnsupportedError("its windows have gaps and reach into padding that does not count")
        x = builder.layer(Pad2d(where.padding), x)
    places = []
    for size, k, t, d in zip(x.shape[1:], where.kernel, where.stride, where.dilation, strict=True):
        room = size - (d * (k - 1) + 1)
        if room < 0 or (where.ceil and room % t):
            raise UnsupportedError("its windows have gaps and hang over the edge")
        places.append(tuple(i * t + r * d for i in range(room // t + 1) for r in range(k)))
    return builder.layer(AvgPool2d(plain(where.kernel)), builder.layer(Take2d(*places), x))


def _kernel(node: OnnxNode) -> tuple[int, ...]:
    kernel = node.integers("kernel_shape")
    if kernel is None:
        raise UnsupportedError("it has no kernel_shape")
    return kernel


def global_pool(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make the mean or the maximum of each channel."""
    x = traced(inputs[0])
    if not builder.batched or len(x.shape) < 2:
        raise UnsupportedError("it needs a batch axis, channels and at least one axis more")
    channels, rest = x.shape[0], x.shape[1:]
    image = x if len(x.shape) == 3 else builder.reshape(x, (channels, 1, prod(rest)))
    layer = GlobalAvgPool2d() if node.op == "GlobalAveragePool" else MaxPool2d(plain(image.shape[1:]))
    return builder.reshape(builder.layer(layer, image), (channels, *(1 for _ in rest)))


def reduce_mean(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make the mean over some axes: they are laid in one, of whose rows the mean is taken."""
    x = traced(inputs[0])
    named = axes_of(node, optional(inputs[1] if len(inputs) > 1 else None, "axes"))
    if not named and node.integer("noop_with_empty_axes", 0):
        return x
    rank = builder.rank(x)
    axes = sorted({builder.axis(axis, rank) for axis in (named or range(rank))})
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    if len(x.shape) == 3 and axes == [1, 2]:
        mean = builder.layer(GlobalAvgPool2d(), x)
    else:
        front = builder.transpose(x, (*kept, *axes))
        rows = builder.reshape(front, (prod(x.shape[a] for a in kept), 1, prod(x.shape[a] for a in axes)))
        mean = builder.layer(GlobalAvgPool2d(), rows)
    if node.integer("keepdims", 1):
        return builder.reshape(mean, tuple(1 if a in axes else n for a, n in enumerate(x.shape)))
    return builder.reshape(mean, tuple(x.shape[a] for a in kept))
