"""Which mistake, or which two and a factor, reproduce a person's numbers.

A hypothesis is accepted only if it gives their numbers, to rounding, at every probe at which they have any. Two
causes that do so equally well are both told, and neither is called the cause.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, Subject, compose, predict
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.scaling import ONE, Factor, explain
from whygrad.typing import Array

#: How exactly float64 results have to agree, relative to the largest entry; float32 results, their own rounding.
EXACT, SINGLE = 1e-7, 2e-4
#: Seconds of the processor that the search for two mistakes may take for one output.
PATIENCE = 1.2
#: The part of its patience that a search has where several outputs are wrong: together they have that of two.
_SHARE: ContextVar[float] = ContextVar("share", default=1.0)


@contextmanager
def shared(outputs: int) -> Iterator[None]:
    """Share the patience of two searches between those for several outputs."""
    token = _SHARE.set(2 / max(outputs, 2))
    try:
        yield
    finally:
        _SHARE.reset(token)


def patience_of(seconds: float) -> float:
    """Return the seconds that there are of these."""
    return seconds * _SHARE.get()


class Sample(NamedTuple):
    """One probe and what the person's code gave there."""

    probe: Probe
    value: Array | None  #: None where the code failed
    precision: float = EXACT


@dataclass(frozen=True)
class Hypothesis:
    """Mistakes and a factor that reproduce the numbers."""

    mistakes: tuple[Mistake, ...]
    factor: Factor
    misfit: float  #: the largest difference, relative to the largest entry

    @property
    def cost(self) -> float:
        """How much has to be assumed."""
        return sum(10 + m.rank for m in self.mistakes) + 3 * self.factor.cost

    @property
    def labels(self) -> tuple[str, ...]:
        """The causes it names, without those of the factor."""
        return tuple(m.label for m in self.mistakes)


class Search(NamedTuple):
    """What a search found."""

    accepted: list[Hypothesis]  #: the simplest first
    rival: str | None  #: the mistake that comes closest among those refused
    rival_misfit: float


def same(a: Array, b: Array, precision: float = EXACT) -> bool:
    """Whether two arrays agree in shape and, relative to the largest entry, in numbers."""
    if a.shape != b.shape:
        return False
    if not a.size:
        return True
    if not np.isfinite(a).all():
        return bool(
            np.array_equal(np.isfinite(a), np.isfinite(b)) and np.allclose(np.nan_to_num(a), np.nan_to_num(b))
        )
    return bool(np.abs(a - b).max() <= precision * max(float(np.abs(b).max()), 1e-300))


def search(
    subject: Subject, output: str, samples: Sequence[Sample], *, pairs: bool = True, patience: float = PATIENCE
) -> Search:
    """Return the hypotheses that reproduce an output at every probe, the simplest first.

    Args:
        subject: the operation.
        output: "dx", "dw", ...
        samples: at least one with a value.
        pairs: whether two mistakes at once are tried.
        patience: seconds that those may take.
    """
    known = [s for s in samples if s.value is not None]
    order = sorted(known, key=lambda s: _ranked(s, output), reverse=True)
    mistakes = _fresh(subject.of(output))
    accepted: list[Hypothesis] = []
    closest: dict[str, float] = {}
    for candidate in ((), *((m,) for m in mistakes)):
        found, misfit = _judged(candidate, output, order)
        if found is not None:
            accepted.append(found)
        elif candidate:
            closest[candidate[0].label] = min(misfit, closest.get(candidate[0].label, np.inf))
    accepted = [h for h in accepted if _telling(h, len(mistakes), order, output)]
    if not accepted and pairs:
        accepted = [
            h
            for h in _pairs(subject, mistakes, output, order, patience)
            if _telling(h, len(mistakes), order, output)
        ]
    told = {label for h in accepted for label in h.labels}
    rivals = {label: misfit for label, misfit in closest.items() if label not in told and np.isfinite(misfit)}
    rival = min(rivals, key=rivals.__getitem__, default=None)
    return Search(sorted(accepted, key=lambda h: h.cost), rival, np.inf if rival is None else rivals[rival])


def _fresh(mistakes: Sequence[Mistake]) -> list[Mistake]:
    return list(dict.fromkeys(mistakes))


def _ranked(sample: Sample, output: str) -> tuple[bool, bool, int]:
    """Order samples: those that are wrong and have several entries first, small ones before large ones."""
    assert sample.value is not None
    right = right_of(sample.probe, output)
    wrong = not same(sample.value, right, sample.precision)
    return wrong, sample.value.size >= 8, -sample.probe.dy.size


def right_of(probe: Probe, output: str) -> Array:
    """Return the right array of an output."""
    return probe.y if output == "y" else probe.right[output]


def _pairs(
    subject: Subject, mistakes: Sequence[Mistake], output: str, order: Sequence[Sample], patience: float
) -> list[Hypothesis]:
    accepted: list[Hypothesis] = []
    deadline = time.thread_time() + patience_of(patience)
    others = sorted((m for m in mistakes if m not in subject.companions), key=lambda m: m.rank)  # likely ones first
    mistakes = [*subject.companions, *others]
    for i, first in enumerate(mistakes[: len(subject.companions) or None]):
        for j, second in enumerate(mistakes):
            ordered = first.joint == second.joint
            if (j <= i and not ordered) or not compose(first, second):
                continue
            found, _ = _judged((first, second), output, order)
            if found is not None and found.factor.named:
                accepted.append(found)
        if time.thread_time() > deadline:
            break
    return accepted


def _judged(
    candidate: tuple[Mistake, ...], output: str, order: Sequence[Sample]
) -> tuple[Hypothesis | None, float]:
    """Return the hypothesis if it fits at every probe, and how far it is from fitting at the first."""
    ratios, sizes, worst = [], [], 0.0
    for sample in order:
        value = sample.value
        assert value is not None
        guess = predict(sample.probe, output, candidate)
        if (
            guess is None
            or guess.size != value.size
            or (guess.shape != value.shape and value.shape == right_of(sample.probe, output).shape)
        ):
            return None, np.inf
        ratio, misfit = _ratio(value.ravel(), guess.ravel(), _size(sample, output))
        if misfit > sample.precision:
            return None, misfit if sample is order[0] else np.inf
        worst = max(worst, misfit)
        if ratio is not None:
            ratios.append(ratio)
            sizes.append(sample.probe.sizes)
    precision = max(s.precision for s in order)
    factor = explain(ratios, sizes, precision) if ratios else ONE
    if factor is None or (not candidate and factor.cost == 0):
        return None, np.inf
    return Hypothesis(candidate, factor, worst), worst


def information(values: Sequence[Array], truths: Sequence[Array], precision: float) -> float:
    """Return how much numbers can tell, in nats: each entry is one of as many as its digits allow.

    Example:
        >>> a = np.array([2.0, -2.0, 0.0, 2.0])  # whole numbers from -2 to 2
        >>> round(information([a], [a], 1e-7), 1)
        6.4
        >>> information([np.zeros(2)], [np.array([1 / 3, 0.7071])], 1e-7) > 30
        True
    """
    told = 0.0
    for value, truth in zip(values, truths, strict=True):
        both = np.concatenate([np.ravel(value), np.ravel(truth)])
        both = both[np.isfinite(both)]
        largest = float(np.abs(both).max(initial=0))
        if not largest:
            continue
        coarse = [10.0**-p for p in range(4) if bool((np.round(both, p) == both).all())]
        grain = max([precision * largest, *coarse[:1]])
        told += value.size * float(np.log(2 * largest / grain + 1))
    return told


def _telling(found: Hypothesis, tried: int, order: Sequence[Sample], output: str) -> bool:
    """Whether the numbers tell more than it takes to choose among all hypotheses of this kind."""
    values = [s.value for s in order if s.value is not None]
    precision = max(s.precision for s in order)
    told = information(values, [right_of(s.probe, output) for s in order], precision)
    entries = sum(_distinct(v, precision) for v in values)
    if found.factor.cost and not found.factor.sign_only and entries < 2:
        return False
    choice = len(found.mistakes) * float(np.log(tried + 1)) + 1.5 * found.factor.cost
    unnamed = 0.0 if found.factor.named else float(np.log(1 / precision))
    return told > choice + unnamed + 1


def _distinct(a: Array, precision: float) -> int:
    """Return how many finite numbers beside 0 differ; of a factor, equal ones tell no more than one."""
    numbers = np.sort(a[np.isfinite(a) & (a != 0)], axis=None)
    return int(numbers.size > 0) + int((np.diff(numbers) > precision * np.abs(numbers).max(initial=0)).sum())


def _size(sample: Sample, output: str) -> float:
    """Return how large right numbers are, beside which rounding is nothing."""
    truth = right_of(sample.probe, output)
    finite = np.abs(truth[np.isfinite(truth)]) if truth.ndim else np.abs(truth)
    return float(finite.max(initial=0))


def _ratio(value: Array, guess: Array, size: float) -> tuple[float | None, float]:
    """Return the factor between two arrays and how far it is from explaining all entries; None for 0 = 0."""
    if not value.size:
        return None, 0.0
    finite = np.isfinite(value)
    if not np.array_equal(finite, np.isfinite(guess)):
        return None, np.inf
    v, g = value[finite], guess[finite]
    largest, mine = float(np.abs(v).max(initial=0)), float(np.abs(g).max(initial=0))
    if mine == 0 and largest < 1e-12 * size:  # 0 but for rounding
        return None, 0.0
    if largest == 0 or mine == 0:
        return None, 0.0 if largest == mine else np.inf
    if largest < 1e-12 * mine or mine < 1e-12 * largest:
        return None, np.inf
    ratio = float((v / largest).ravel() @ (g / mine).ravel()) / float((g / mine).ravel() @ (g / mine).ravel())
    ratio *= largest / mine
    return ratio, float(np.abs(v - ratio * g).max()) / largest
