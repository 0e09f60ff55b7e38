"""Log-softmax as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from whygrad.errors import OptionError
from whygrad.layers.layer import Unary
from whygrad.ops.log_softmax import log_softmax
from whygrad.typing import Array, Pullback


@dataclass(frozen=True, repr=False)
class LogSoftmax(Unary):
    """Log-softmax; the formula stands in :func:`whygrad.ops.log_softmax`.

    Args:
        axis: the class axis, counted with the batch axis.

    Example:
        >>> LogSoftmax().output_shape((3, 4, 4))
        (3, 4, 4)
    """

    axis: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.axis, bool) or not isinstance(self.axis, int):
            raise OptionError("LogSoftmax", "axis as a whole number", f"{self.axis!r}", "change axis")

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return log_softmax(x, axis=self.axis)
