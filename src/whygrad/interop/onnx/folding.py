"""Arithmetic on what is known: shapes and constants are computed while the file is read."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from whygrad.interop.onnx.building import Builder, whole_numbers
from whygrad.interop.onnx.nodes import FLOAT, FLOATS, INT, INTS, OnnxNode
from whygrad.interop.onnx.tensors import dtype_of
from whygrad.interop.onnx.values import BATCH, Known, Traced, UnsupportedError, Value

Numbers = npt.NDArray[Any]
_MOST = 2**22  #: entries of a result


def fold(node: OnnxNode, inputs: list[Value], builder: Builder) -> Known | None:
    """Return what a node computes from what is known; None for a node that has to be computed by the network.

    Raises:
        UnsupportedError: arithmetic with the size of the batch, or more of it than a shape needs.
    """
    if node.op in ("Shape", "Size") and isinstance(inputs[0], Traced):
        return Known(_measured(node, builder.sizes(inputs[0])))
    if node.op == "CastLike" and isinstance(inputs[0], Known) and isinstance(inputs[1], Traced):
        return Known(inputs[0].array.astype(inputs[1].dtype), inputs[0].name)
    if node.op not in _TABLE or not all(value is None or isinstance(value, Known) for value in inputs):
        return None
    arrays = [value.array if isinstance(value, Known) else None for value in inputs]
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(_TABLE[node.op](node, *arrays))
    except (
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        ZeroDivisionError,
        MemoryError,
    ) as error:
        batch = any(array is not None and BATCH in array.ravel().tolist() for array in arrays if _objects(array))
        reason = "it computes with the size of the batch" if batch else str(error).partition("\n")[0][:200]
        raise UnsupportedError(reason or type(error).__name__) from None
    name = inputs[0].name if node.op in _REARRANGING and isinstance(inputs[0], Known) else ""
    return Known(result, name)


def _objects(array: Numbers | None) -> bool:
    return array is not None and array.dtype == object


def _measured(node: OnnxNode, sizes: list[Any]) -> Numbers:
    if node.op == "Size":
        if BATCH in sizes:
            raise UnsupportedError("it computes with the size of the batch")
        return np.array(prod(sizes), np.int64)
    start, end = node.integer("start", 0), node.integer("end", len(sizes))
    return numbers(sizes[slice(start, end)])


def numbers(sizes: list[Any]) -> Numbers:
    """Return sizes as an array, of objects if the batch is among them."""
    if BATCH not in sizes:
        return np.array(sizes, np.int64)
    result = np.empty(len(sizes), object)
    result[:] = sizes
    return result


def _constant(node: OnnxNode) -> Numbers:
    if node.tensor is not None:
        return node.tensor
    for name, kind in (("value_float", FLOAT), ("value_int", INT), ("value_floats", FLOATS), ("value_ints", INTS)):
        if name in node.attributes:
            field = {FLOAT: "f", INT: "i", FLOATS: "floats", INTS: "ints"}[kind]
            return np.array(getattr(node.attributes[name], field), np.float32 if "float" in name else np.int64)
    raise UnsupportedError("it holds neither numbers nor a tensor")


def _bounded(shape: Any) -> tuple[int, ...]:
    sizes = tuple(whole_numbers(np.asarray(shape), "shape"))
    if any(size < 0 for size in sizes) or prod(sizes) > _MOST:
        raise UnsupportedError(f"its constant of shape {sizes[:8]} has more than {_MOST} entries")
    return sizes


def _constant_of_shape(node: OnnxNode, shape: Numbers) -> Numbers:
    value = np.zeros(1, np.float32) if node.tensor is None else node.tensor
    return np.full(_bounded(shape), value.ravel()[0])


def _expand(node: OnnxNode, x: Numbers, shape: Numbers) -> Numbers:
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, _bounded(shape))).copy()


def _concat(node: OnnxNode, *arrays: Numbers) -> Numbers:
    if sum(array.size for array in arrays) > _MOST:
        raise UnsupportedError(f"its constant has more than {_MOST} entries")
    if any(map(_objects, arrays)):
        arrays = tuple(array.astype(object) for array in arrays)
    return np.concatenate(arrays, axis=node.integer("axis", 0))


def _gather(node: OnnxNode, x: Numbers, at: Numbers) -> Numbers:
    if at.size > _MOST // max(1, x.size):
        raise UnsupportedError("it takes too many entries")
    return x.take(at.astype(np.int64), axis=node.integer("axis", 0))


def _slice(node: OnnxNode, x: Numbers, *given: Numbers | None) -> Numbers:
    where = slices(node, given, x.shape)
    return x[tuple(where.get(axis, slice(None)) for axis in range(x.ndim))]


def slices(node: OnnxNode, given: tuple[Numbers | None, ...], shape: tuple[Any, ...]) -> dict[int, slice]:
    """Return, by axis, what ONNX's Slice takes; ``given`` are its inputs after the first."""
    if node.opset < 10:
        lists: list[Any] = [node.integers(name) for name in ("starts", "ends", "axes", "steps")]
    else:
        lists = [None if one is None else whole_numbers(one, "bounds") for one in (*given, None, None)[:4]]
    starts, ends = lists[0] or (), lists[1] or ()
    axes = tuple(range(len(starts))) if lists[2] is None else lists[2]
    steps = (1,) * len(starts) if lists[3] is None else lists[3]
    result = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not -len(shape) <= axis < len(shape) or not step:
            raise UnsupportedError(f"it takes every {step}th place along axis {axis} of {len(shape)}")
        size = shape[axis % len(shape)]
        if step < 0 and isinstance(size, int):
            low, high = (n + size if n < 0 else n for n in (start, end))
            result[axis % len(shape)] = slice(min(low, size - 1), None if high < 0 else high, step)
        else:
            result[axis % len(shape)] = slice(start, end, step)
    return result


def axes_of(node: OnnxNode, given: Numbers | None) -> tuple[int, ...] | None:
    """Return the axes that a node names, as an input or, in older versions, as an attribute."""
    if given is not None:
        return tuple(whole_numbers(given, "axes"))
    return node.integers("axes")


def _squeeze(node: OnnxNode, x: Numbers, given: Numbers | None = None) -> Numbers:
    return np.squeeze(x, axes_of(node, given))


def _unsqueeze(node: OnnxNode, x: Numbers, given: Numbers | None = None) -> Numbers:
    axes = axes_of(node, given) or ()
    return np.expand_dims(x, axes) if len(axes) < 16 else x


def _reshape(node: OnnxNode, x: Numbers, shape: Numbers) -> Numbers:
    sizes = whole_numbers(shape, "shape")
    if not node.integer("allowzero", 0):
        sizes = [size or x.shape[i] for i, size in enumerate(sizes)]
    return x.reshape(sizes)


def _cast(node: OnnxNode, x: Numbers) -> Numbers:
    dtype = dtype_of(node.integer("to", 1))
    if dtype is None:
        raise UnsupportedError("it makes entries of an unknown type")
    return x if _objects(x) and np.issubdtype(dtype, np.integer) else x.astype(dtype)


def _range(node: OnnxNode, start: Numbers, limit: Numbers, step: Numbers) -> Numbers:
    low, high, by = (array.ravel()[0] for array in (start, limit, step))
    if abs(high - low) > _MOST * abs(by):
        raise UnsupportedError("it counts too far")
    return np.arange(low, high, by, dtype=start.dtype)


def _divide(node: OnnxNode, a: Numbers, b: Numbers) -> Numbers:
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        return np.trunc(a / b).astype(a.dtype)
    return a / b


def _reduced(function: Callable[..., Any]) -> Callable[..., Numbers]:
    def call(node: OnnxNode, x: Numbers, given: Numbers | None = None) -> Numbers:
        axes = axes_of(node, given)
        if not axes and node.integer("noop_with_empty_axes", 0):
            return x
        return np.asarray(function(x, axis=axes or None, keepdims=bool(node.integer("keepdims", 1))), x.dtype)

    return call


def _plain(function: Callable[..., Any]) -> Callable[..., Numbers]:
    def call(node: OnnxNode, *arrays: Numbers) -> Numbers:
        shapes = [array.shape for array in arrays]
        if prod(np.broadcast_shapes(*shapes)) > _MOST:
            raise UnsupportedError(f"its constant has more than {_MOST} entries")
        return np.asarray(function(*arrays))

    return call


def _transpose(node: OnnxNode, x: Numbers) -> Numbers:
    return x.transpose(node.integers("perm"))


def _flatten(node: OnnxNode, x: Numbers) -> Numbers:
    axis = node.integer("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(prod(x.shape[:axis]), -1)


_TABLE: dict[str, Callable[..., Numbers]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Flatten": _flatten,
    "Cast": _cast,
    "CastLike": lambda node, x, like: x if _objects(x) else x.astype(like.dtype),
    "Identity": lambda node, x: x,
    "Range": _range,
    "Shape": lambda node, x: _measured(node, list(x.shape)),
    "Size": lambda node, x: _measured(node, list(x.shape)),
    "Div": _divide,
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceMean": _reduced(np.mean),
    "Add": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "Mod": _plain(np.mod),
    "Pow": _plain(lambda a, b: np.power(a, b).astype(a.dtype)),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil),
    "Round": _plain(np.round),
    "Sqrt": _plain(lambda a: np.sqrt(a).astype(a.dtype)),
    "Reciprocal": _plain(lambda a: (1 / a).astype(a.dtype)),
    "Exp": _plain(lambda a: np.exp(a).astype(a.dtype)),
    "Log": _plain(lambda a: np.log(a).astype(a.dtype)),
    "Min": _plain(lambda *a: np.minimum.reduce(np.broadcast_arrays(*a))),
    "Max": _plain(lambda *a: np.maximum.reduce(np.broadcast_arrays(*a))),
    "Sum": _plain(lambda *a: sum(a[1:], a[0])),
    "Equal": _plain(lambda a, b: np.equal(a, b).astype(bool)),
    "Greater": _plain(np.greater),
    "Less": _plain(np.less),
    "GreaterOrEqual": _plain(np.greater_equal),
    "LessOrEqual": _plain(np.less_equal),
    "Not": _plain(np.logical_not),
    "And": _plain(np.logical_and),
    "Or": _plain(np.logical_or),
    "Where": _plain(lambda c, a, b: np.where(c.astype(bool), a, b)),
}
#: What leaves the numbers of an initializer as they are.
_REARRANGING = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast", "CastLike"}
