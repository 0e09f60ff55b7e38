"""What a person's code gave at a probe, and whether it is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.adapting import Result
from whygrad.diagnosis.hypotheses import EXACT, SINGLE, Sample, right_of, same
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

#: Relative difference up to which a gradient is right: rounding, and small constants such as 1e-8 in a denominator.
RIGHT = 1e-6


class Outcome(NamedTuple):
    """One probe and what the code gave there."""

    probe: Probe
    result: Result


def sample_of(outcome: Outcome, output: str, precision: float | None = None) -> Sample:
    """Return what a call gave for one output, with the precision that it can have."""
    value = outcome.result.y if output == "y" else outcome.result.outputs.get(output)
    if precision is None:
        precision = EXACT if value is None else _precision(value)
    return Sample(outcome.probe, value, precision)


def _precision(value: Array) -> float:
    """Return how exact results can be: float32 ones have entries that float32 can hold."""
    with np.errstate(over="ignore"):
        single = value.size >= 4 and bool((value.astype(np.float32).astype(np.float64) == value).all())
    whole = bool((value == np.round(value, 3)).all())
    return SINGLE if single and not whole else EXACT


def right(sample: Sample, output: str) -> bool:
    """Whether an output is right at a probe; at ties any fair choice is."""
    assert sample.value is not None
    precision = max(RIGHT, sample.precision)
    truth = right_of(sample.probe, output)
    if same(sample.value, truth, precision):
        return True
    # An axis of size 1 more or less, as keepdims leaves it, holds the same numbers.
    squeezed = sample.value.squeeze(), truth.squeeze()
    if output not in ("dx", "y") and squeezed[0].shape == squeezed[1].shape and same(*squeezed, precision):
        return True
    others = sample.probe.subject.alternatives
    if others is None:
        return False
    return any(same(sample.value, other, precision) for other in others(sample.probe, output))
