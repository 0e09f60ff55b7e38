"""Steps of a training, recorded with the gradients that they should have been made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Steps that are recorded.
_STEPS = 6


class Recorded(NamedTuple):
    """One step: parameters before it, its batch, the right gradients there, and what was subtracted."""

    params: dict[str, Array]
    batch: Any
    gradients: dict[str, Array]
    taken: dict[str, Array]
    after: dict[str, Array]


def recorded(subject: Subject, steps: int = _STEPS) -> list[Recorded]:
    """Return the first steps of a training, from its beginning, on changing halves of the batch.

    Raises:
        CallFailed: a function fails.
    """
    step = subject.stepper()
    now = {n: np.array(a) for n, a in subject.params.items()}
    n = subject.count or 0
    halves: list[Any] = [None]
    if n >= 4:
        parts = [subject.part(np.arange(n // 2)), subject.part(np.arange(n - n // 2, n))]
        try:
            subject.gradients(now, parts[0])
            halves = parts
        except CallFailed:
            halves = [None]
    found = []
    for k in range(steps):
        batch = halves[k % len(halves)]
        batch = subject.batch if batch is None else batch
        gradients = {
            m: g for m, g in subject.gradients(now, batch).items() if m in subject.names and g.shape == now[m].shape
        }
        after = step(now, batch)
        with np.errstate(all="ignore"):
            taken: dict[str, Array] = {
                m: now[m].astype(np.float64) - np.asarray(after[m], np.float64) for m in gradients
            }
        if not all(np.isfinite(d).all() for d in taken.values()):
            break
        found.append(Recorded(now, batch, gradients, taken, after))
        now = {m: np.array(a) for m, a in after.items()}
    return found


def flat(arrays: dict[str, Array]) -> Array:
    """Return the entries of all arrays, one after the other."""
    return np.concatenate([np.ravel(a) for a in arrays.values()])
