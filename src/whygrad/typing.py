"""The types that the protocols are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

#: A float32 or float64 array.
Array: TypeAlias = npt.NDArray[np.floating[Any]]
#: Class indices and other counts.
IntArray: TypeAlias = npt.NDArray[np.integer[Any]]
#: What holds and what does not.
BoolArray: TypeAlias = npt.NDArray[np.bool_]
#: Parameters, running statistics or gradients by name: ``{"conv1.weight": array, ...}``.
Params: TypeAlias = Mapping[str, Array]
#: The sizes of an array's axes.
Shape: TypeAlias = tuple[int, ...]
#: One size for both spatial axes, or (vertical, horizontal).
Pair: TypeAlias = int | tuple[int, int]
#: One width for all sides, (vertical, horizontal), or (top, bottom, left, right).
Sides: TypeAlias = int | tuple[int, int] | tuple[int, int, int, int]


class Pullback(Protocol):
    """Carries the gradient of the loss from an operation's value back to its inputs.

    ``pullback(dy)`` returns one gradient per differentiable input, in the order of the inputs: an array when
    there is one input, a tuple when there are several. It writes to nothing and may be called again. What it saved
    are often the inputs and the value themselves, not copies: change none of them in place before the last call.
    """

    def __call__(self, dy: Array, /, **options: bool) -> Any:
        """Return the gradients with respect to the inputs, given ``dy`` of the shape of the value.

        Operations with weights take ``input_gradient=False``, which leaves out dx.
        """


class Loss(Protocol):
    """Gives a loss and its gradient with respect to the predictions together."""

    def __call__(self, prediction: Array, target: Any, /) -> tuple[float, Array]:
        """Return the loss as a number and its gradient in the shape of the predictions."""
