"""What ONNX says of windows: kernel, steps, dilation and padding, with images of one axis made into two."""

from __future__ import annotations

from typing import Any, NamedTuple

from whygrad.interop.onnx.building import Builder
from whygrad.interop.onnx.nodes import OnnxNode
from whygrad.interop.onnx.values import Traced, UnsupportedError
from whygrad.ops.windows import FourSides
from whygrad.typing import Shape


class Window(NamedTuple):
    """The options of a windowed operation, (vertical, horizontal) each."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: FourSides  #: top, bottom, left, right
    ceil: bool


def as_images(value: Traced, builder: Builder) -> tuple[Traced, bool]:
    """Return a value as images, and whether it was a sequence (C, L), which becomes an image of one row."""
    if not builder.batched:
        raise UnsupportedError("it needs a batch axis before the channels")
    if len(value.shape) == 3:
        return value, False
    if len(value.shape) == 2:
        return builder.reshape(value, (value.shape[0], 1, value.shape[1])), True
    raise UnsupportedError(
        f"it works on {len(value.shape) - 1} axes besides the channels, and one or two are known here"
    )


def as_sequence(value: Traced, builder: Builder, *, was: bool) -> Traced:
    """Return images of one row as the sequences that they were made from."""
    return builder.reshape(value, (value.shape[0], value.shape[2])) if was else value


def window(node: OnnxNode, size: Shape, kernel: tuple[int, ...], *, flat: bool) -> Window:
    """Return a node's window.

    Args:
        node: the node.
        size: (H, W) of the images.
        kernel: of the window, one number for ``flat`` ones.
        flat: whether the images were made from sequences.
    """
    count = 1 if flat else 2
    both = [_pair(node, name, flat=flat) for name in ("strides", "dilations")]
    if len(kernel) != count:
        raise UnsupportedError(f"its kernel has {len(kernel)} sizes for {count} axes")
    shape = (1, kernel[0]) if flat else (kernel[0], kernel[1])
    if min(*shape, *both[0], *both[1]) < 1:
        raise UnsupportedError("its kernel, strides and dilations have to be at least 1")
    sides = _padding(node, size, shape, both[0], both[1], flat=flat)
    return Window(shape, both[0], both[1], sides, bool(node.integer("ceil_mode", 0)))


def _pair(node: OnnxNode, name: str, *, flat: bool) -> tuple[int, int]:
    values = node.integers(name) or (1,) * (1 if flat else 2)
    if len(values) != (1 if flat else 2):
        raise UnsupportedError(f"its {name} are {values}")
    return (1, values[0]) if flat else (values[0], values[1])


def _padding(
    node: OnnxNode, size: Shape, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int],
    *, flat: bool,
) -> FourSides:  # fmt: skip
    how = node.text("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        sides = []
        for n, k, t, d in zip(size, kernel, stride, dilation, strict=True):
            total = max(0, (-(-n // t) - 1) * t + d * (k - 1) + 1 - n)
            sides.append(
                (total // 2, total - total // 2) if how == "SAME_UPPER" else (total - total // 2, total // 2)
            )
        return (*sides[0], *sides[1])
    if how == "VALID":
        return 0, 0, 0, 0
    if how != "NOTSET":
        raise UnsupportedError(f"its auto_pad is {how!r}")
    return sides_of(node.integers("pads"), flat=flat)


def sides_of(pads: tuple[int, ...] | None, *, flat: bool) -> FourSides:
    """Return (top, bottom, left, right) from ONNX's (top, left, bottom, right)."""
    pads = pads or (0,) * (2 if flat else 4)
    if len(pads) != (2 if flat else 4) or min(pads) < 0:
        raise UnsupportedError(f"its pads are {pads}")
    return (0, 0, pads[0], pads[1]) if flat else (pads[0], pads[2], pads[1], pads[3])


def plain(values: tuple[int, ...]) -> Any:
    """Return one number where all are the same, as people write it.

    Example:
        >>> plain((3, 3)), plain((1, 2))
        (3, (1, 2))
    """
    return values[0] if len(set(values)) == 1 else values
