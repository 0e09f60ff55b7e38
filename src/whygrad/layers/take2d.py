"""Taking rows and columns as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.errors import OptionError
from whygrad.layers.layer import Unary, image_shape
from whygrad.ops.take2d import check_places, take2d
from whygrad.typing import Array, Pullback, Shape


@dataclass(frozen=True, repr=False)
class Take2d(Unary):
    """Some rows and columns of each image; the formula stands in :func:`whygrad.ops.take2d`.

    Args:
        vertical: for each row of the output the row of the image that it shows.
        horizontal: likewise.

    Example:
        >>> Take2d((0, 2), (0, 0, 1, 1)).output_shape((3, 4, 5))
        (3, 2, 4)
    """

    vertical: tuple[int, ...]
    horizontal: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("vertical", "horizontal"):
            if not isinstance(getattr(self, name), tuple):
                received = f"{getattr(self, name)!r}"
                raise OptionError("Take2d", f"{name} as a tuple of whole numbers", received, f"change {name}")

    def output_shape(self, *shapes: Shape) -> Shape:
        channels, height, width = image_shape("take2d", shapes[0])
        check_places("take2d", "vertical", self.vertical, height)
        check_places("take2d", "horizontal", self.horizontal, width)
        return (channels, len(self.vertical), len(self.horizontal))

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return take2d(x, vertical=self.vertical, horizontal=self.horizontal)

    def __repr__(self) -> str:
        """Show rows and columns, long ones cut short."""
        return f"Take2d({_short(self.vertical)}, {_short(self.horizontal)})"


def _short(places: tuple[int, ...]) -> str:
    """Return the places, or the first three and the last.

    Example:
        >>> _short((0, 1)), _short((0, 2, 4, 6, 8))
        ('(0, 1)', '(0, 2, 4, ..., 8)')
    """
    if len(places) <= 4:
        return repr(places)
    return f"({', '.join(map(str, places[:3]))}, ..., {places[-1]})"
