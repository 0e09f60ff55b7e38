"""Log-softmax as a layer."""

from __future__ import annotations

from dataclasses import dataclass

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

    def operate(self, x: Array) -> tuple[Array, Pullback]:
        return log_softmax(x, axis=self.axis)
