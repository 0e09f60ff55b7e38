"""All that a training run is at one moment: enough to go on from there as if never interrupted."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np

from whygrad.optim import OptimizerState
from whygrad.typing import Array, Params


class TrainingState(NamedTuple):
    """A training run between two steps. Nothing in it is changed by going on."""

    params: dict[str, Array]
    optimizer: OptimizerState
    rng: dict[str, Any]  #: state of the generator now
    epoch_rng: dict[str, Any]  #: state of the generator before the order of this epoch was drawn
    epoch: int  #: whole epochs done
    batch: int  #: batches done in the epoch after them
    loss_sum: float  #: Σ loss·samples over those batches
    correct: int  #: rightly classified among their samples
    seen: int  #: their samples

    @property
    def step(self) -> int:
        """Updates made."""
        return self.optimizer.step

    def next_epoch(self) -> TrainingState:
        """Return the state at the start of the next epoch, whose order the generator draws from here."""
        return self._replace(epoch=self.epoch + 1, batch=0, loss_sum=0.0, correct=0, seen=0, epoch_rng=self.rng)


#: The generators whose state is plain numbers, which JSON can hold.
GENERATORS = {kind.__name__: kind for kind in (np.random.PCG64, np.random.PCG64DXSM)}


def generator(state: dict[str, Any]) -> np.random.Generator:
    """Return a generator that goes on from ``state``.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: it is no state of a generator in ``GENERATORS``.
    """
    bits = GENERATORS[state["bit_generator"]]()
    bits.state = cast(Any, state)
    return np.random.Generator(bits)


def beginning(params: Params, optimizer: OptimizerState, rng: np.random.Generator) -> TrainingState:
    """Return the state before the first step."""
    now = dict(rng.bit_generator.state)
    return TrainingState(dict(params), optimizer, now, now, 0, 0, 0.0, 0, 0)
