"""What takes values apart and lays them side by side: Concat, Split, Slice, Gather, Pad and Resize."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from whygrad.interop.onnx.building import (
    MOST_ENTRIES,
    MOST_PLACES,
    Builder,
    check_places,
    known,
    optional,
    scalar,
    traced,
    whole_numbers,
)
from whygrad.interop.onnx.folding import axes_of, slices
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Traced, UnsupportedError, Value
from whygrad.layers import Concat, Pad2d, UpsampleNearest2d
from whygrad.ops.pad2d import PadMode


def concat(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Lay values side by side."""
    values = [traced(value) for value in inputs]
    axis = builder.axis(node.integer("axis", 1), builder.rank(values[0]))
    return values[0] if len(values) == 1 else builder.layer(Concat(axis + 1), *values)


def split(node: OnnxNode, inputs: list[Value], builder: Builder) -> list[Value]:
    """Cut a value into pieces."""
    x = traced(inputs[0])
    axis = builder.axis(node.integer("axis", 0), builder.rank(x))
    size, count = x.shape[axis], len(node.outputs)
    given = node.integers("split")
    if node.opset >= 13:
        array = optional(inputs[1] if len(inputs) > 1 else None, "split")
        given = None if array is None else tuple(whole_numbers(array, "split"))
    if given is None:
        piece = -(-size // count)
        given = (*(piece,) * (count - 1), size - piece * (count - 1))
    if len(given) != count or sum(given) != size or min(given) < 1:
        raise UnsupportedError(f"it cuts {size} places into {given}")
    check_places(size)
    ends = np.cumsum(given).tolist()
    return [builder.take(x, axis, tuple(range(end - length, end))) for end, length in zip(ends, given, strict=True)]


def slice_(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Take places along some axes."""
    x = traced(inputs[0])
    given = tuple(optional(value, "bounds") for value in inputs[1:])
    for axis, where in sorted(slices(node, given, tuple(builder.sizes(x))).items()):
        if builder.batched and axis == 0 and where == slice(0, where.stop, 1) and where.stop > 2**30:
            continue  # all samples
        own = builder.axis(axis, builder.rank(x))
        check_places(x.shape[own])
        x = builder.take(x, own, tuple(range(x.shape[own]))[where])
    return x


def gather(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Take places named by constants along one axis."""
    x, at = traced(inputs[0]), known(inputs[1], "indices")
    axis = builder.axis(node.integer("axis", 0), builder.rank(x))
    size = x.shape[axis]
    places = tuple(place + size if place < 0 else place for place in whole_numbers(at, "indices"))
    if any(not 0 <= place < size for place in places):
        raise UnsupportedError(f"it takes places that an axis of size {size} does not have")
    taken = builder.take(x, axis, places)
    return builder.reshape(taken, (*x.shape[:axis], *at.shape, *x.shape[axis + 1 :]))


_MODES: dict[str, PadMode] = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


def pad(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Put entries around a value; take them away where pads are negative."""
    x, mode = traced(inputs[0]), node.text("mode", "constant")
    rank = builder.rank(x)
    if node.opset < 11:
        pads, value = list(node.integers("pads") or ()), node.number("value", 0.0)
    else:
        pads = whole_numbers(known(inputs[1], "pads"), "pads")
        value = scalar(inputs[2] if len(inputs) > 2 else None, "value", 0.0)
    named = axes_of(node, optional(inputs[3], "axes")) if len(inputs) > 3 else None
    axes = list(range(rank)) if named is None else list(named)
    if len(pads) != 2 * len(axes) or mode not in (*_MODES, "wrap"):
        raise UnsupportedError(f"its mode is {mode!r} and its pads are {pads[:16]}")
    sides = [[0, 0] for _ in x.shape]
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if (before, after) != (0, 0):
            sides[builder.axis(axis, rank)] = [before, after]
    if len(x.shape) == 3 and not any(sides[0]) and mode != "wrap" and min(map(min, sides)) >= 0:
        return _framed(x, (*sides[1], *sides[2]), mode, value, builder) if any(map(any, sides)) else x
    for axis, (before, after) in enumerate(sides):
        x = _extended(x, axis, before, after, mode, value, builder)
    return x


def _extended(
    x: Traced, axis: int, before: int, after: int, mode: str, value: float, builder: Builder
) -> Traced:  # fmt: skip
    """Return a value with entries added to or taken from both ends of one axis."""
    size = x.shape[axis]
    check_places(size + abs(before) + abs(after))
    if before < 0 or after < 0:
        x = builder.take(x, axis, tuple(range(size))[max(0, -before) : size - max(0, -after)])
        size, before, after = x.shape[axis], max(0, before), max(0, after)
    if not before and not after:
        return x
    if mode == "wrap":
        return builder.take(x, axis, tuple(place % size for place in range(-before, size + after)))
    leading, trailing = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    image = builder.reshape(x, (leading, size, trailing))
    framed = _framed(image, (before, after, 0, 0), mode, value, builder)
    return builder.reshape(framed, (*x.shape[:axis], before + size + after, *x.shape[axis + 1 :]))


def _framed(x: Traced, sides: tuple[int, ...], mode: str, value: float, builder: Builder) -> Traced:
    top, bottom, left, right = sides
    if (x.shape[1] + top + bottom) * (x.shape[2] + left + right) > MOST_ENTRIES:
        raise UnsupportedError(f"its pads {sides} make too large an image")
    return builder.layer(Pad2d((top, bottom, left, right), _MODES[mode], value if mode == "constant" else 0.0), x)


def resize(node: OnnxNode, inputs: list[Value], builder: Builder) -> Traced:
    """Resize images to the nearest pixel."""
    x = traced(inputs[0])
    if node.text("mode", "nearest") != "nearest":
        raise UnsupportedError(f"its mode is {node.text('mode', '')!r}, and only the nearest pixel is known here")
    if node.integer("antialias", 0):
        raise UnsupportedError("it smooths before it takes pixels")
    for axis, (size, factor) in sorted(_targets(node, inputs, x, builder).items()):
        if max(size, x.shape[axis]) > MOST_PLACES:
            raise UnsupportedError(f"its size {size} is more than {MOST_PLACES}")
        x = _resized(x, axis, _sources(node, x.shape[axis], size, factor), builder)
    return _joined(x, builder)


def _resized(x: Traced, axis: int, places: tuple[int, ...], builder: Builder) -> Traced:
    """Return a value with these places along an axis, as blocks where they are blocks."""
    size = x.shape[axis]
    times, rest = divmod(len(places), size)
    blocks = times > 1 and not rest and places == tuple(place // times for place in range(len(places)))
    if len(x.shape) == 3 and axis and blocks:
        return builder.layer(UpsampleNearest2d((times, 1) if axis == 1 else (1, times)), x)
    return builder.take(x, axis, places)


def _joined(x: Traced, builder: Builder) -> Traced:
    """Return two blocks, one down and one across, as one."""
    node = builder.nodes.get(x.source)
    before = None if node is None else builder.nodes.get(node.inputs[0])
    if (
        node is None
        or before is None
        or not all(isinstance(layer, UpsampleNearest2d) for layer in (node.layer, before.layer))
    ):
        return x
    (v, _), (_, h) = before.layer.scale_factor, node.layer.scale_factor  # type: ignore[attr-defined]
    if node.layer.scale_factor[0] != 1 or before.layer.scale_factor[1] != 1:  # type: ignore[attr-defined]
        return x
    del builder.nodes[x.source]
    shape = (x.shape[0], x.shape[1] // v, x.shape[2] // h)
    return builder.layer(UpsampleNearest2d((v, h) if v != h else v), Traced(before.inputs[0], shape, x.dtype))


def _targets(node: OnnxNode, inputs: list[Value], x: Traced, builder: Builder) -> dict[int, tuple[int, float]]:
    """Return, for each axis of a sample that changes, its new size and the factor that coordinates go by."""
    rank = builder.rank(x)
    scales, sizes = _scales_and_sizes(node, inputs)
    axes = node.integers("axes") or tuple(range(rank))
    given = scales if sizes is None else sizes
    if given is None or len(given) != len(axes):
        raise UnsupportedError(f"it names {0 if given is None else len(given)} sizes for {len(axes)} axes")
    found: dict[int, tuple[int, float]] = {}
    for axis, wanted in zip(axes, given, strict=True):
        if builder.batched and axis % rank == 0 and wanted in (1, builder.batch):
            continue
        own = builder.axis(axis, rank)
        size = x.shape[own]
        new = math.floor(size * wanted) if sizes is None else int(wanted)
        if new < 1:
            raise UnsupportedError(f"it makes {size} places into {new}")
        found[own] = (new, float(wanted) if sizes is None else new / size)
    if sizes is not None and node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        chosen = (min if node.text("keep_aspect_ratio_policy", "") == "not_larger" else max)(
            factor for _, factor in found.values()
        )
        found = {axis: (math.floor(x.shape[axis] * chosen + 0.5), chosen) for axis in found}
    return {axis: target for axis, target in found.items() if target[0] != x.shape[axis] or target[1] != 1.0}


def _scales_and_sizes(node: OnnxNode, inputs: list[Value]) -> tuple[list[float] | None, list[int] | None]:
    def numbers(position: int, what: str) -> Any:
        array = optional(inputs[position] if len(inputs) > position else None, what)
        return None if array is None or not array.size else array

    first = 1 if node.op == "Upsample" or node.opset < 11 else 2
    scales, sizes = numbers(first, "scales"), numbers(3, "sizes")
    if scales is not None and not (np.isfinite(scales.astype(np.float64)) & (scales > 0)).all():
        raise UnsupportedError("its scales have to be above 0")
    if scales is not None and scales.size > 16:
        raise UnsupportedError("it has more than 16 scales")
    plain = None if scales is None else [float(str(one)) for one in scales.ravel()]
    return plain, None if sizes is None else whole_numbers(sizes, "sizes")


def _sources(node: OnnxNode, size: int, new: int, factor: float) -> tuple[int, ...]:
    """Return, for each place of the resized axis, the place that it shows."""
    old = node.op == "Upsample" or node.opset < 11
    how = "asymmetric" if old else node.text("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else node.text("nearest_mode", "round_prefer_floor")
    at = np.arange(new, dtype=np.float64)
    if how == "asymmetric":
        at = at / factor
    elif how == "align_corners":
        at = at * (size - 1) / (new - 1) if new > 1 else np.zeros(1)
    elif how == "tf_half_pixel_for_nn":
        at = (at + 0.5) / factor
    elif how in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        shift = 0.0
        if how == "half_pixel_symmetric":
            adjustment = new / (factor * size)
            shift = size / 2 * (1 - adjustment)
        at = shift + (at + 0.5) / factor - 0.5
        if how == "pytorch_half_pixel" and new == 1:
            at = np.zeros(1)
    else:
        raise UnsupportedError(f"its coordinates are {how!r}")
    functions: dict[str, Any] = {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    if rounding not in functions:
        raise UnsupportedError(f"it rounds by {rounding!r}")
    return tuple(int(i) for i in np.clip(functions[rounding](at), 0, size - 1))
