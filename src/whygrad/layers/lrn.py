"""Local response normalisation as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.errors import OptionError
from whygrad.layers.layer import Unary, image_shape
from whygrad.ops.lrn import lrn
from whygrad.typing import Array, Pullback, Shape
from whygrad.validation import number, whole


@dataclass(frozen=True, repr=False)
class LRN(Unary):
    """Every entry divided by the activity of the channels around it; the formula is in :func:`whygrad.ops.lrn`.

    Args:
        size: how many channels are looked at.
        alpha: how strongly they count.
        beta: the exponent.
        k: what is added, above 0.

    Example:
        >>> LRN(5).output_shape((64, 8, 8))
        (64, 8, 8)
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        whole("LRN", "size", self.size, 1)
        for name in ("alpha", "beta", "k"):
            number("LRN", name, getattr(self, name), 0.0, 1e30)
        if not self.k:
            raise OptionError("LRN", "k above 0", f"{self.k!r}", "change k")

    def output_shape(self, *shapes: Shape) -> Shape:
        return image_shape("lrn", shapes[0])

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return lrn(x, size=self.size, alpha=self.alpha, beta=self.beta, k=self.k)
