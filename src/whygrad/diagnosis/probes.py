"""Probes: inputs at which wrong code cannot look right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.typing import Array

if TYPE_CHECKING:
    from whygrad.diagnosis.catalogue import Subject

#: How far entries keep from each other and from zero where kinks and ties are not the question.
GAP = 0.037


@dataclass(frozen=True)
class Probe:
    """One call of a function: its inputs, what comes from above, and the options.

    ``tags`` say what makes it special ("stride > 1", "one sample"), by which a diagnosis tells where code is right
    and where it is wrong.
    """

    name: str
    inputs: Mapping[str, Array]
    dy: Array
    subject: Subject = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> Array:
        return self.inputs[name]

    @cached_property
    def y(self) -> Array:
        """The right value."""
        return self.subject.forward(self)

    @cached_property
    def right(self) -> dict[str, Array]:
        """The right gradients by the names of the outputs, each computed when it is asked for."""
        return _Right(self)

    @cached_property
    def sizes(self) -> dict[str, float]:
        """The numbers that a factor may be made of."""
        return self.subject.sizes(self)

    def changed(self, dy: Array | None = None, **inputs: Array) -> Probe:
        """Return the probe with another dy or other inputs, as a mistake would use them."""
        return replace(self, dy=self.dy if dy is None else dy, inputs={**self.inputs, **inputs})


class _Right(dict[str, Array]):
    """Gradients that are computed once they are looked up."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def __missing__(self, name: str) -> Array:
        self[name] = self.probe.subject.build[name](self.probe, {})
        return self[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a gradient; the default for an output that there is not."""
        return self[name] if name in self.probe.subject.build else default


def spaced(rng: np.random.Generator, *shape: int) -> Array:
    """Return distinct numbers around 0.1 of magnitude about 1, no two closer than ``GAP``, none of them near 0.

    Example:
        >>> x = spaced(np.random.default_rng(0), 3, 4)
        >>> bool(np.abs(x).min() > 0.01), bool(np.diff(np.sort(x, axis=None)).min() > 0.01)
        (True, True)
    """
    size = int(np.prod(shape))
    step = max(GAP, 3.0 / max(size, 1))
    numbers = step * (np.arange(size) - size // 2 + 0.37)
    return rng.permutation(numbers).reshape(shape)


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    """Return normal numbers."""
    return rng.normal(size=shape)


#: Draws the inputs of a probe.
Draw = Callable[..., Array]
