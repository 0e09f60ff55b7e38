"""Whether the gradients are those of the loss, parameter by parameter: compared with its slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.batches import one_hot, rebuilt
from whygrad.diagnosis.training.earlier_calls import Place, called_after_another, left_behind
from whygrad.diagnosis.training.explaining import explained
from whygrad.diagnosis.training.labels import outputs
from whygrad.diagnosis.training.mending import GradientEvidence, Mended
from whygrad.diagnosis.training.readings import Reading, read
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.samples import class_indices, samples_of
from whygrad.diagnosis.training.slopes import coarse, shaken, typical
from whygrad.diagnosis.training.stopping import CallFailed, OutOfTime
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import blank
from whygrad.typing import Array

#: What a claim may differ by from the slope, relative: where the loss is computed in float64, and in float32.
_FINE, _COARSE = 2e-6, 2e-3
#: How far off along one direction alone a claim has to be, relative.
_FAR = 0.1
#: Share of the time that is kept for what is told of a gradient that is far off.
_SPARED = 0.4
#: Directions along which a wrong gradient is measured.
_DIRECTIONS = 3
#: Seconds of one loss from which on fewer samples are taken, and how many.
_LONG, _SAMPLES = 0.02, 8


def examine_gradient(subject: Subject, *, seed: int = 0) -> Evidence:
    """Compare the gradients with slopes of the loss, and say of each parameter what is wrong with its gradient."""
    return compared(subject, seed=seed).evidence


def compared(subject: Subject, *, seed: int = 0) -> GradientEvidence:
    """Compare the gradients with slopes of the loss; return also how they can be mended."""
    if subject.gradients_function is None:
        reason = "the gradients: none were given" + ("" if subject.step_function is None else ", only a step")
        return GradientEvidence(Evidence("gradient", untested=(reason,)), Mended())
    rng = np.random.default_rng(seed)
    exact = _smaller(subject.exact())
    at = shaken(exact, rng)
    if not np.isfinite(exact.loss(at)):
        at = dict(exact.params)
    if not np.isfinite(exact.loss(at)):
        return GradientEvidence(Evidence("gradient", untested=("the gradients: the loss is not finite",)), Mended())
    narrow = coarse(exact, at)
    tolerance = _COARSE if narrow else _FINE
    if narrow:
        exact = exact.but(eps=float(np.finfo(np.float32).eps))
    place = called_after_another(exact, at, rng, tolerance)
    try:
        kept = left_behind(exact, place)
        if kept is not None:
            return kept
        shapes = _wrong_shapes(exact, place.first)
        if shapes:
            return GradientEvidence(Evidence("gradient", tuple(shapes)), Mended())
        return _compared_at(exact, at, exact.gradients(at), tolerance, rng, tamed=False)
    except OutOfTime:
        return GradientEvidence(_along_one_direction(place), Mended())


def _along_one_direction(place: Place) -> Evidence:
    """Return what the calls in one place tell of all gradients together, where there was no time for more."""
    only = "the gradients parameter by parameter: there was no time for that"
    claim, slope = place.claims[0], place.slope.value
    if place.right(claim) or abs(claim - slope) <= _FAR * max(abs(claim), abs(slope), place.size):
        return Evidence("gradient", says=f"{place}", untested=(only,))
    says = f"the gradients are not those of the loss: {place}"
    fix = "whygrad.check_gradient shows which of them differ; pass a smaller batch to have more told here"
    return Evidence("gradient", (fault("gradients", "gradient_wrong", says, fix=fix),), untested=(only,))


def _smaller(subject: Subject) -> Subject:
    """Return the training with a few samples of its batch, where the loss of all takes long."""
    part = subject.part(np.arange(_SAMPLES)) if (subject.count or 0) > _SAMPLES else None
    if part is None or subject.costs.get("loss", 0.0) < _LONG:
        return subject
    fewer = subject.but(batch=part, data=None, batches=None)
    try:
        fewer.gradients()
        return fewer if np.isfinite(fewer.loss()) else subject
    except CallFailed:
        return subject


def _compared_at(
    exact: Subject,
    at: dict[str, Array],
    claimed: dict[str, Array],
    tolerance: float,
    rng: np.random.Generator,
    *,
    tamed: bool,
) -> GradientEvidence:
    """Compare gradients with slopes in one place, and where the loss is very high there, in a tamer one as well."""
    directions: dict[str, Array] = {n: typical(at[n]) * rng.normal(size=at[n].shape) for n in exact.names}
    first = _in_time(exact, at, claimed, directions)
    suspects = [n for n, reading in first.items() if reading.off(tolerance)]
    first |= {n: read(exact, at, claimed, n, directions[n], wary=True) for n in suspects}
    wrong = [n for n in suspects if first[n].wrong(tolerance)]
    if not wrong:
        where = (
            "; that is so at smaller parameters, and at those given what is added within the logarithm hides "
            "the slope"
            if tamed
            else ""
        )
        return GradientEvidence(Evidence("gradient", says=_right(first, tolerance) + where), Mended())
    tamer = None if tamed else _tamer(exact, at)
    if tamer is not None:
        return _compared_at(exact, tamer, exact.gradients(tamer), tolerance, rng, tamed=True)
    formed = _with_other_labels(exact, at, directions, tolerance)
    if formed is not None:
        return GradientEvidence(Evidence("gradient", (formed,)), Mended())
    readings = {n: [first[n]] for n in wrong}
    for n in wrong:
        with suppress(OutOfTime):
            for _ in range(_DIRECTIONS - 1):
                readings[n].append(read(exact, at, claimed, n, typical(at[n]) * rng.normal(size=at[n].shape)))
    readings = {n: taken for n, taken in readings.items() if _wrong_again(taken, tolerance)}
    if not readings:
        return GradientEvidence(Evidence("gradient", says=_right(first, tolerance)), Mended())
    findings, mended = explained(exact, at, readings, claimed, tolerance)
    return GradientEvidence(Evidence("gradient", tuple(findings)), mended)


def _in_time(
    exact: Subject, at: dict[str, Array], claimed: dict[str, Array], directions: Mapping[str, Array]
) -> dict[str, Reading]:
    """Return a reading of each parameter, or of those that there is time for while some is left to explain them."""
    found: dict[str, Reading] = {}
    for n, direction in directions.items():
        found[n] = read(exact, at, claimed, n, direction)
        if exact.clock.left < _SPARED * exact.clock.seconds and found[n].off(_FAR):
            break
    return found


def _wrong_again(taken: Sequence[Reading], tolerance: float) -> bool:
    """Return whether a claim is far off, or off along other directions too: near kinks one may be so by chance."""
    return taken[0].wrong(_FAR) or any(reading.wrong(tolerance) for reading in taken[1:])


def _tamer(subject: Subject, at: dict[str, Array]) -> dict[str, Array] | None:
    """Return smaller parameters, where the loss is near that of a constant answer; None where it is so already."""
    constant = blank(subject)
    if not np.isfinite(constant) or constant <= 0 or subject.loss(at) <= 1.5 * constant:
        return None
    for share in (0.3, 0.1, 0.03, 0.01, 0.001):
        smaller = {
            n: (a * share).astype(a.dtype) if n in subject.names and a.dtype.kind == "f" else a
            for n, a in at.items()
        }
        if subject.loss(smaller) <= 1.5 * constant:
            return smaller
    return None


def _with_other_labels(
    subject: Subject, at: dict[str, Array], directions: dict[str, Array], tolerance: float
) -> Finding | None:
    """Return that the gradients are right once the labels have another form."""
    found, count, samples = subject.xt(), outputs(subject)[0], samples_of(subject.batch)
    if found is None or samples is None:
        return None
    t = np.asarray(found[1])
    labels = class_indices(samples.t)
    if (
        labels is None
        or not count
        or count < 2
        or samples.t.size != len(labels)
        or labels.min() < 0
        or labels.max() >= count
    ):
        return None
    batch = rebuilt(subject.batch, found[0], one_hot(np.asarray(found[0]), t, labels, count))
    other = subject.but(batch=batch)
    try:
        claimed = other.gradients(at)
        if any(read(other, at, claimed, n, v).wrong(tolerance) for n, v in directions.items()):
            return None
    except CallFailed:
        return None
    says = (
        f"the labels are class indices, of shape {t.shape}, and the code wants one-hot rows: with indices "
        "its gradients are not those of its loss"
    )
    return fault(
        "labels",
        "labels_one_hot",
        says,
        fix=f"t = np.eye({count})[t]",
        experiment=f"with np.eye({count})[t] every gradient is right",
        also="gradient_wrong",
    )


def _right(readings: Mapping[str, Reading], tolerance: float) -> str:
    # Of the largest: one that is 0, as those of biases before batch normalisation, has no size of its own.
    scale = max((max(abs(r.slope.value), r.size) for r in readings.values()), default=0.0)
    worst = max((abs(r.claimed - r.slope.value) for r in readings.values()), default=0.0) / max(scale, 1e-300)
    digits = " (it is computed in float32)" if tolerance == _COARSE else ""
    return (
        f"the gradients of {', '.join(readings)} are those of the loss: along random directions they differ "
        f"by {worst:.0e} of the largest at most{digits}"
    )


def _wrong_shapes(subject: Subject, claimed: Mapping[str, Array]) -> list[Finding]:
    found = []
    for name, g in claimed.items():
        if g.shape != subject.params[name].shape and name in subject.names:
            says = f"the gradient of {name} has the shape {g.shape}, and {name} has {subject.params[name].shape}"
            found.append(
                fault(f"gradient of {name}", "gradient_wrong", says, fix="return one number for each entry")
            )
    return found
