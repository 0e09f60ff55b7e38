"""A person's network: its loss and its gradients, called in one way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from whygrad.diagnosis.adapting import Result, as_array, guarded
from whygrad.diagnosis.signatures import parameters
from whygrad.typing import Array


@dataclass
class NetworkCode:
    """A person's network."""

    loss_function: Any
    gradients_function: Any
    params: dict[str, Array]
    inputs: tuple[Any, ...]
    calls: int = 0
    until: float = math.inf

    def loss(self, params: Mapping[str, Array], inputs: tuple[Any, ...] | None = None) -> float:
        """Return the loss; NaN where it fails."""
        self.calls += 1
        given = self.arguments(self.loss_function, params, self.inputs if inputs is None else inputs)
        raw, error, _, _ = guarded(lambda: self.loss_function(*given))
        number = as_array(raw[0] if isinstance(raw, tuple) else raw)
        return (
            float("nan") if error is not None or number is None or number.size != 1 else float(number.reshape(()))
        )

    def gradients(self, params: Mapping[str, Array], inputs: tuple[Any, ...]) -> Result:
        """Return the claimed gradients by the names of the parameters."""
        self.calls += 1
        given = self.arguments(self.gradients_function, params, inputs)
        raw, error, refused, printed = guarded(lambda: self.gradients_function(*given))
        result = Result(error=error, refused=refused, printed=printed)
        if error is None:
            result.outputs = self.by_name(raw)
            result.written = tuple(n for n, a in params.items() if not np.array_equal(a, given[0][n]))
        return result

    def arguments(self, function: Any, params: Mapping[str, Array], inputs: tuple[Any, ...]) -> list[Any]:
        """Return copies of the arguments; the data only where the function takes it."""
        copies: list[Any] = [{n: a.copy() for n, a in params.items()}]
        taken = parameters(function)
        if not taken or len(taken) > 1:
            copies += [a.copy() if isinstance(a, np.ndarray) else a for a in inputs]
        return copies

    def by_name(self, raw: Any) -> dict[str, Any]:
        """Return gradients by the names of the parameters, also where they are called dW1 or come in order."""
        names = list(self.params)
        if isinstance(raw, tuple | list) and len(raw) == 2 and isinstance(raw[1], Mapping):
            raw = raw[1]  # (loss, gradients)
        if isinstance(raw, Mapping):
            found: dict[str, Any] = {}
            for key, value in raw.items():
                plain = str(key)
                for name in (plain, plain.removeprefix("d"), plain.removeprefix("d_"), plain.removeprefix("grad_")):
                    if name in self.params:
                        found.setdefault(name, as_array(value))
            return found
        if isinstance(raw, tuple | list):
            return {name: as_array(value) for name, value in zip(names, raw, strict=False)}
        return {names[0]: as_array(raw)}
