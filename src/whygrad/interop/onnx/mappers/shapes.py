"""What renames entries: Reshape and its kin, Transpose, Identity, and Dropout."""

from __future__ import annotations

from math import prod
from typing import Any

from whygrad.interop.onnx.building import Builder, known, optional, scalar, traced
from whygrad.interop.onnx.folding import axes_of
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.tensors import dtype_of
from whygrad.interop.onnx.values import BATCH, Traced, UnsupportedError, Value
from whygrad.layers import Dropout, Flatten
from whygrad.typing import Shape


def identity(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Hand a value on."""
    return traced(inputs[0])


def cast(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Hand a value on that has the wanted type already."""
    x = traced(inputs[0])
    wanted = dtype_of(node.integer("to", 0)) if node.op == "Cast" else x.dtype
    if wanted != x.dtype:
        raise UnsupportedError(f"it turns {x.dtype} into another type")
    return x


def reshape(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make samples of another shape."""
    x = traced(inputs[0])
    shape = known(inputs[1], "shape").ravel().tolist()
    if not node.integer("allowzero", 0):
        sizes = builder.sizes(x)
        if any(size == 0 and i >= len(sizes) for i, size in enumerate(shape)):
            raise UnsupportedError(f"its shape is {shape}")
        shape = [sizes[i] if size == 0 else size for i, size in enumerate(shape)]
    return in_shape(x, shape, builder)


def in_shape(x: Traced, shape: list[Any], builder: Builder) -> Traced:
    """Return a value in a shape as ONNX writes it, in which one size may be −1."""
    sizes = [size for size in shape if isinstance(size, int)]
    if len(shape) - len(sizes) > 1 or sizes.count(-1) > 1 or any(size < -1 for size in sizes) or len(shape) > 16:
        raise UnsupportedError(f"its shape is {shape}")
    entries = prod(x.shape)
    if not builder.batched:
        return _fill(x, tuple(sizes), builder)
    rest = shape[1:]
    if not shape or BATCH in rest:
        raise UnsupportedError(f"its shape {shape} does not begin with the batch")
    first = shape[0]
    if first == -1:  # fits if the rest is as much as a sample has
        if prod(rest) != entries:
            raise UnsupportedError(f"its shape {shape} mixes samples of {x.shape}")
    elif first is not BATCH and (first != builder.batch or (-1 not in rest and prod(rest) != entries)):
        raise UnsupportedError(f"its shape {shape} mixes samples of {x.shape}")
    return _fill(x, tuple(rest), builder)


def _fill(x: Traced, shape: Shape, builder: Builder) -> Traced:
    """Return a value in a shape whose −1 stands for what is left."""
    entries = prod(x.shape)
    if -1 in shape:
        others = prod(size for size in shape if size != -1)
        if not others or entries % others:
            raise UnsupportedError(f"samples of {x.shape} cannot become {shape}")
        shape = tuple(entries // others if size == -1 else size for size in shape)
    if prod(shape) != entries:
        raise UnsupportedError(f"samples of {x.shape} cannot become {shape}")
    return builder.reshape(x, shape)


def flatten(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make rows: the axes before ``axis`` in one, the others in another."""
    x, axis = traced(inputs[0]), node.integer("axis", 1)
    rank = builder.rank(x)
    if not -rank <= axis <= rank:
        raise UnsupportedError(f"its axis is {axis}")
    axis += rank if axis < 0 else 0
    if not builder.batched:
        return builder.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))
    if axis != 1:
        raise UnsupportedError("it mixes the batch axis with others")
    return x if len(x.shape) == 1 else builder.layer(Flatten(), x)


def squeeze(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make samples without some axes of size 1."""
    x = traced(inputs[0])
    named = axes_of(node, optional(inputs[1] if len(inputs) > 1 else None, "axes"))
    if named is None:
        if builder.batched and builder.batch == 1:
            raise UnsupportedError("it takes the batch axis away with all others of size 1; name its axes")
        axes = {axis for axis, size in enumerate(x.shape) if size == 1}
    else:
        axes = {builder.axis(axis, builder.rank(x)) for axis in named}
    if any(x.shape[axis] != 1 for axis in axes):
        raise UnsupportedError(f"it takes axes away that are not of size 1, of samples of {x.shape}")
    return builder.reshape(x, tuple(size for axis, size in enumerate(x.shape) if axis not in axes))


def unsqueeze(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make samples with more axes of size 1."""
    x = traced(inputs[0])
    named = axes_of(node, optional(inputs[1] if len(inputs) > 1 else None, "axes")) or ()
    rank = builder.rank(x) + len(named)
    if rank > 16:
        raise UnsupportedError(f"it makes {rank} axes")
    axes = {builder.axis(axis, rank) for axis in named}
    if len(axes) != len(named):
        raise UnsupportedError("it names an axis twice")
    sizes = iter(x.shape)
    return builder.reshape(x, tuple(1 if axis in axes else next(sizes) for axis in range(len(x.shape) + len(axes))))


def transpose(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make samples with their axes in another order."""
    x = traced(inputs[0])
    rank = builder.rank(x)
    perm = node.integers("perm") or tuple(reversed(range(rank)))
    if sorted(perm) != list(range(rank)):
        raise UnsupportedError(f"its perm is {perm} for {rank} axes")
    if builder.batched:
        if perm[0] != 0:
            builder.axis(0, rank)  # refused
        perm = tuple(axis - 1 for axis in perm[1:])
    return builder.transpose(x, perm)


def dropout(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make a dropout, which works in training alone."""
    ratio = node.number("ratio", 0.5)
    if node.opset >= 12:
        ratio = scalar(inputs[1] if len(inputs) > 1 else None, "ratio", 0.5)
    return builder.layer(Dropout(ratio), traced(inputs[0]))


def expand(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make samples that are repeated along axes of size 1."""
    x, shape = traced(inputs[0]), known(inputs[1], "shape").ravel().tolist()
    if builder.batched:
        if len(shape) > builder.rank(x):
            raise UnsupportedError(f"its shape {shape} has more axes than its input")
        if len(shape) == builder.rank(x):
            first, *shape = shape
            if first is not BATCH and first not in (1, builder.batch):
                raise UnsupportedError("it repeats samples")
    sizes = [size for size in shape if isinstance(size, int) and size > 0]
    if len(sizes) != len(shape):
        raise UnsupportedError(f"its shape is {shape}")
    rank = max(len(sizes), len(x.shape))
    own, wanted = (1,) * (rank - len(x.shape)) + x.shape, (1,) * (rank - len(sizes)) + tuple(sizes)
    return builder.stretch(x, tuple(max(m, n) for m, n in zip(own, wanted, strict=True)))


def blocks(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Make DepthToSpace or SpaceToDepth: blocks of pixels become channels, or channels blocks."""
    x, size = traced(inputs[0]), node.integer("blocksize", 0)
    if not builder.batched or len(x.shape) != 3 or size < 1:
        raise UnsupportedError("it needs images and a block size")
    c, h, w = x.shape
    if node.op == "SpaceToDepth":
        if h % size or w % size:
            raise UnsupportedError(f"images of {h}x{w} are not made of blocks of {size}")
        cut = builder.reshape(x, (c, h // size, size, w // size, size))
        order = (2, 4, 0, 1, 3) if node.text("mode", "DCR") == "DCR" else (0, 2, 4, 1, 3)
        return builder.reshape(builder.transpose(cut, order), (c * size * size, h // size, w // size))
    if c % (size * size):
        raise UnsupportedError(f"{c} channels are not made of blocks of {size}")
    own, columns_first = c // size**2, node.text("mode", "DCR") == "DCR"
    cut = builder.reshape(x, (size, size, own, h, w) if columns_first else (own, size, size, h, w))
    order = (2, 3, 0, 4, 1) if columns_first else (0, 3, 1, 4, 2)
    return builder.reshape(builder.transpose(cut, order), (own, h * size, w * size))
