"""What earlier calls leave behind: gradients that add up, come late, or belong to another batch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.training.batches import cast_batch
from whygrad.diagnosis.training.mending import GradientEvidence, Mended
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.slopes import Slope, along, typical
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Calls in one place until which an earlier one's gradient may come.
_CALLS = 12


class Place(NamedTuple):
    """Several calls in one place: what their gradients claim along one direction, and what the loss does there."""

    at: dict[str, Array]
    direction: dict[str, Array]
    first: dict[str, Array]  #: the gradients of the first call
    claims: list[float]
    slope: Slope
    size: float  #: of the sums that the claims are
    near: float  #: what a right claim may be off by
    other: Any = None  #: the batch of the call before
    before: Mapping[str, Array] = MappingProxyType({})  #: and its gradients

    def right(self, claim: float) -> bool:
        """Whether a claim agrees with the slope."""
        return abs(claim - self.slope.value) <= self.near

    def __str__(self) -> str:
        told = ", ".join(f"{c:.6g}" for c in self.claims)
        return f"calls in one place give {told} along one direction, and the loss's slope is {self.slope.value:.6g}"


def called_after_another(
    subject: Subject, at: dict[str, Array], rng: np.random.Generator, tolerance: float
) -> Place:
    """Call the gradients elsewhere and then several times in one place."""
    direction: dict[str, Array] = {n: typical(at[n]) * rng.normal(size=at[n].shape) for n in subject.names}
    other = _other_batch(subject)
    before = subject.gradients(subject.params, other)
    return _called_in(subject, at, direction, tolerance)._replace(other=other, before=before)


def left_behind(subject: Subject, place: Place) -> GradientEvidence | None:
    """Say what earlier calls leave behind, where the calls in one place show something of it."""
    if all(place.right(float(step)) for step in np.diff(place.claims)) and not place.right(0.0):
        return _added_up(place)
    if not place.right(place.claims[0]):
        kept = _kept_from_before(subject, place, place.before)
        if kept is not None:
            return kept
    return _kept_samples(subject, place, place.other)


def _called_in(subject: Subject, at: dict[str, Array], direction: dict[str, Array], tolerance: float) -> Place:
    """Call the gradients three times in one place."""
    calls = [subject.gradients(at) for _ in range(3)]
    claims = [_claim(g, direction, at) for g in calls]
    slope = along(subject, at, direction)
    size = max(_claim_size(g, direction, at) for g in calls)
    near = 3 * slope.error + 1e3 * tolerance * max(abs(slope.value), size / 10)
    return Place(at, direction, calls[0], claims, slope, size, near)


def _added_up(place: Place) -> GradientEvidence:
    """Return that every call adds to what the calls before have left."""
    finding = fault(
        "gradients",
        "gradients_not_zeroed",
        f"each call adds its gradients to those of the calls before: {place}",
        also="gradient_buffer_not_zeroed",
        fix="set the gradients to 0 at the beginning of each call",
        lesson=LESSONS.get("gradients_not_zeroed", ""),
    )
    mended = Mended("the gradients without those of earlier calls", _Own())
    return GradientEvidence(Evidence("gradient", (finding,)), mended)


def _kept_from_before(subject: Subject, place: Place, before: Mapping[str, Array]) -> GradientEvidence | None:
    """Return that gradients which are wrong here are those of an earlier call."""
    late = _late(subject, place)
    if late:
        says = f"in a new place the first right gradient is that of call {late + 1}: {place}"
        return _stale(
            f"the gradients are those of an earlier call: {says}",
            Mended("the gradients of a later call", _Later(subject, late)),
        )
    if np.ptp(place.claims) <= 1e-9 * place.size and _equal(before, place.first):
        return _stale(
            "the gradients are the same for other parameters and another batch: those of the first call are kept",
        )
    if _equal(subject.gradients(subject.params), place.first):
        return _stale(
            "the gradients are the same for other parameters, to the last bit: those of an earlier call are kept",
        )
    return None


def _kept_samples(subject: Subject, place: Place, other: Any) -> GradientEvidence | None:
    """Return that the gradients of another batch are those of the first."""
    away = subject.but(batch=other)
    here, there = subject.gradients(place.at), away.gradients(place.at)
    elsewhere = along(away, place.at, place.direction)
    differs = abs(elsewhere.value - place.slope.value) > 10 * place.near
    if _equal(here, there) and differs and place.right(place.claims[0]):
        return _stale(
            "the gradients of another batch are those of the first one, to the last bit: its samples are kept"
        )
    return None


def _late(subject: Subject, place: Place) -> int:
    """Return after how many calls in one place its gradient comes; 0 where it does not."""
    for k in range(1, _CALLS):
        made = k < len(place.claims)
        claim = place.claims[k] if made else _claim(subject.gradients(place.at), place.direction, place.at)
        if place.right(claim):
            return k
    return 0


def _stale(says: str, mended: Mended | None = None) -> GradientEvidence:
    finding = fault(
        "gradients",
        "stale_gradient",
        says,
        also="stale_cache",
        fix="compute the forward pass of this call's parameters and batch before its gradients",
        lesson=LESSONS.get("stale_cache", ""),
    )
    return GradientEvidence(Evidence("gradient", (finding,)), mended or Mended())


class _Own:
    """Gradients without what the calls before have added."""

    def __init__(self) -> None:
        self.before: dict[str, Array] = {}

    def __call__(self, gradients: dict[str, Array], params: Any, batch: Any) -> dict[str, Array]:
        del params, batch
        own = {n: g - self.before.get(n, 0.0) for n, g in gradients.items()}
        self.before = gradients
        return own


class _Later:
    """Gradients of a later call in the same place."""

    def __init__(self, subject: Subject, calls: int) -> None:
        self.subject, self.calls = subject, calls

    def __call__(self, gradients: dict[str, Array], params: Any, batch: Any) -> dict[str, Array]:
        for _ in range(self.calls):
            gradients = self.subject.gradients(params, batch)
        return gradients


def _other_batch(subject: Subject) -> Any:
    """Return another batch, or part of the batch; the batch itself where there is no other."""
    if len(subject.stream) > 1:
        same = cast_batch(subject.stream[1], np.float64) if _double(subject) else subject.stream[1]
    else:
        same = subject.part(np.arange(max(1, (subject.count or 2) // 2)))
    if same is None:
        return subject.batch
    try:
        subject.loss(subject.params, same)
        subject.gradients(subject.params, same)
    except CallFailed:
        return subject.batch
    return same


def _double(subject: Subject) -> bool:
    return all(a.dtype == np.float64 for a in subject.params.values() if a.dtype.kind == "f")


def _claim(g: Mapping[str, Array], direction: Mapping[str, Array], at: Mapping[str, Array]) -> float:
    return sum(float((g[n] * v).sum()) for n, v in direction.items() if n in g and g[n].shape == at[n].shape)


def _claim_size(g: Mapping[str, Array], direction: Mapping[str, Array], at: Mapping[str, Array]) -> float:
    return float(
        np.sqrt(
            sum(
                float(((g[n] * v) ** 2).sum()) for n, v in direction.items() if n in g and g[n].shape == at[n].shape
            )
        )
    )


def _equal(a: Mapping[str, Array], b: Mapping[str, Array]) -> bool:
    return any(np.any(g) for g in a.values()) and all(n in b and np.array_equal(g, b[n]) for n, g in a.items())
