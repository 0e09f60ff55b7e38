"""The calls that a chain makes: which layer, on which parameters, and what is known of inputs that fit."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np

from whygrad.errors import WhygradError
from whygrad.layers.layer import Fitted, Layer
from whygrad.typing import Array, Params, Shape
from whygrad.validation import ready

#: What is kept of a call for the way back: the layer's name; the pullback, of the layer or of its operation; and of
#: an operation the parameters whose gradients it gives after dx, None for a layer. A plain tuple is made quickest.
Done: TypeAlias = tuple[str, Any, tuple[str, ...] | None]


class Call:
    """One layer of a chain, and its operation for every shape of input that it has met.

    Args:
        name: of the layer.
        layer: the layer, which may be two joined ones.
        scope: the prefix of its parameters, with a dot at its end.
    """

    def __init__(self, name: str, layer: Layer, scope: str) -> None:
        self.name, self.layer = name, layer
        self.parameters = tuple(scope + own for own in layer.shapes)
        self._shapes = list(zip(self.parameters, layer.shapes.values(), strict=True))
        self._fits = type(layer).fitted is not Layer.fitted
        self._known: dict[Shape, Fitted | None] = {}

    def fitted(self, params: Params, x: Any, *, made: bool) -> tuple[Fitted, list[Array]] | None:
        """Return the layer's operation and what it is to be called with, if nothing is left to be asked.

        ``made`` says that x comes from such an operation, and is therefore as it should be.
        """
        if not self._fits or not (made or ready((x,))):
            return None
        dtype, arrays = x.dtype, [x]
        for name, shape in self._shapes:
            array = params.get(name)
            if type(array) is not np.ndarray or array.dtype is not dtype or array.shape != shape:
                return None
            if not array.flags.aligned:
                return None
            arrays.append(array)
        try:
            operation = self._known[x.shape]
        except KeyError:
            operation = self._learn(x.shape)
        return None if operation is None else (operation, arrays)

    def _learn(self, shape: Shape) -> Fitted | None:
        operation = None
        with suppress(WhygradError):  # whoever calls the layer itself will hear of it
            operation = self.layer.fitted(shape)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[shape] = operation
        return operation


#: Shapes that a call remembers: images of any size may come.
_MOST = 64
