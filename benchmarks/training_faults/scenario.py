"""A scenario: a training with a planted fault, or a healthy one, and what there is to ask about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whygrad.layers import Sequential
from whygrad.optim import Optimizer
from whygrad.typing import Array, Loss

HEALTHY = "no_bug"

Step = Callable[[Any, Any], Any]


@dataclass
class Functions:
    """A training written by anyone: their functions, and what they pass to them."""

    loss: Callable[[Any, Any], float]
    gradients: Callable[[Any, Any], Any] | None
    params: Any  #: a mapping or a list of arrays
    learning_rate: float
    batches: Sequence[Any]  #: in the order in which the person feeds them
    accuracy: Callable[[Any], float]  #: on held-out data, by what the code itself predicts
    step: Step | None = None
    optimizer: str | None = None  #: what the step is meant to be, where the person says so: "adam"
    momentum: float = 0.0


@dataclass
class Own:
    """A training of one of the project's models."""

    model: Sequential
    params: dict[str, Array]
    images: Array
    labels: Array
    optimizer: Optimizer
    loss: Loss
    batch_size: int
    accuracy: Callable[[Any], float]  #: on held-out data, in evaluation
    clip: Any = None


Setup = Functions | Own


@dataclass(frozen=True)
class Scenario:
    """One training that is asked about.

    ``make`` builds everything anew, so that what one caller changes no other sees. ``mended`` builds the same
    training without its fault: what the fault is compared with.
    """

    kind: str  #: the label that is right; HEALTHY for one without a fault
    name: str  #: of the variant: which code, how
    strength: str
    seed: int
    make: Callable[[], Setup]
    mended: Callable[[], Setup] | None = None
    also: tuple[str, ...] = ()  #: further labels that are right as well
    definition: str = ""  #: why it is a fault even where the training hardly shows it
    steps: int = 150  #: after which its harm is measured
    floor: float = 0.8  #: accuracy that the healthy training reaches by then

    @property
    def key(self) -> str:
        """A name that no other scenario has."""
        return f"{self.kind}/{self.name}/{self.strength}/{self.seed}"

    @property
    def faulty(self) -> bool:
        """Whether there is something to find."""
        return self.kind != HEALTHY

    def accepts(self, cause: str | None) -> bool:
        """Whether a cause that was named is right."""
        return cause == self.kind or cause in self.also
