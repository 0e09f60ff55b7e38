"""Whether the gradients are those of the loss, parameter by parameter, and what is wrong where they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.training.catalogue import named_by_catalogue
from whygrad.diagnosis.training.implied import differences
from whygrad.diagnosis.training.labels import outputs
from whygrad.diagnosis.training.penalty import penalty
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.samples import class_indices, samples_of
from whygrad.diagnosis.training.slopes import Slope, along, coarse, shaken, typical
from whygrad.diagnosis.training.subject import CallFailed, Subject, cast_batch, rebuilt
from whygrad.diagnosis.training.trials import blank
from whygrad.typing import Array

#: What a claim may differ by from the slope, relative: where the loss is computed in float64, and in float32.
_FINE, _COARSE = 2e-6, 2e-3
#: Directions along which a wrong gradient is measured.
_DIRECTIONS = 3
#: Seconds of one loss from which on fewer samples are taken, and how many.
_LONG, _SAMPLES = 0.02, 8
#: Calls in one place until which an earlier one's gradient may come.
_CALLS = 12
#: Seconds that differences of all wrong entries may take, and steps that are made with them.
_A_STEP, _MENDED_STEPS = 0.05, 50
_BIAS = ("b", "bias", "beta")


class Reading(NamedTuple):
    """One parameter along one direction: what the gradient says, what the loss does."""

    claimed: float
    slope: Slope
    size: float  #: of the sum that the claim is: what rounding is relative to
    weight: float  #: the parameter itself along the direction

    def off(self, tolerance: float) -> bool:
        """Whether the two differ, whatever the error of the slope."""
        return self._replace(slope=Slope(self.slope.value, 0.0)).wrong(tolerance)

    def wrong(self, tolerance: float) -> bool:
        """Whether the two differ by more than the errors of both."""
        bound = 3 * self.slope.error + tolerance * max(abs(self.claimed), abs(self.slope.value), self.size) + 1e-13
        return not abs(self.claimed - self.slope.value) <= bound


@dataclass
class Mended:
    """How the right gradients can be had from the wrong ones."""

    what: str = ""  #: "the gradients times -1"
    change: Callable[..., Any] | None = None  #: gradients, params, batch → gradients
    factors: dict[str, float] = field(default_factory=dict)
    steps: int = 80  #: how many steps a trial with it can have


class GradientEvidence(NamedTuple):
    """What is known of the gradients, and how to mend them."""

    evidence: Evidence
    mended: Mended


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
    kept = _what_calls_leave(exact, at, rng, tolerance)
    if kept is not None:
        return kept
    claimed = exact.gradients(at)
    shapes = _wrong_shapes(exact, claimed)
    if shapes:
        return GradientEvidence(Evidence("gradient", tuple(shapes)), Mended())
    return _compared_at(exact, at, claimed, tolerance, rng, tamed=False)


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
    first = {n: read(exact, at, claimed, n, directions[n]) for n in directions}
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
        for _ in range(_DIRECTIONS - 1):
            readings[n].append(read(exact, at, claimed, n, typical(at[n]) * rng.normal(size=at[n].shape)))
    findings, mended = _explained(exact, at, readings, claimed, tolerance)
    return GradientEvidence(Evidence("gradient", tuple(findings)), mended)


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
    columns = t.ndim > 1 and t.shape[-1] == len(labels)
    batch = rebuilt(subject.batch, found[0], np.eye(count)[:, labels] if columns else np.eye(count)[labels])
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


def read(
    subject: Subject,
    at: Mapping[str, Array],
    claimed: Mapping[str, Array],
    name: str,
    direction: Array,
    *,
    wary: bool = False,
) -> Reading:
    """Return what a gradient claims along a direction of one parameter, and the slope there."""
    g = claimed.get(name)
    products = np.zeros(1) if g is None else (g * direction).ravel()
    found = along(subject, at, {name: direction}, wary=wary)
    return Reading(
        float(products.sum()), found, float(np.sqrt(np.sum(products**2))), float((at[name] * direction).sum())
    )


def _right(readings: Mapping[str, Reading], tolerance: float) -> str:
    worst = max(
        (abs(r.claimed - r.slope.value) / max(abs(r.slope.value), r.size, 1e-300) for r in readings.values()),
        default=0.0,
    )
    digits = " (it is computed in float32)" if tolerance == _COARSE else ""
    return (
        f"the gradients of {', '.join(readings)} are those of the loss: along random directions they differ "
        f"by {worst:.0e} at most{digits}"
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


def _what_calls_leave(
    subject: Subject, at: dict[str, Array], rng: np.random.Generator, tolerance: float
) -> GradientEvidence | None:
    """Call the gradients elsewhere and then several times in one place: what earlier calls leave behind shows."""
    direction: dict[str, Array] = {n: typical(at[n]) * rng.normal(size=at[n].shape) for n in subject.names}
    other = _other_batch(subject)
    before = subject.gradients(subject.params, other)
    calls = [subject.gradients(at) for _ in range(3)]
    claims = [_claim(g, direction, at) for g in calls]
    truth = along(subject, at, direction)
    size = max(_claim_size(g, direction, at) for g in calls)
    near = 3 * truth.error + 1e3 * tolerance * max(abs(truth.value), size / 10)

    def right(claim: float, slope: Slope = truth) -> bool:
        return abs(claim - slope.value) <= near

    steps = np.diff(claims)
    told = ", ".join(f"{c:.6g}" for c in claims)
    says = f"calls in one place give {told} along one direction, and the loss's slope is {truth.value:.6g}"
    if all(right(float(step)) for step in steps) and not right(0.0):
        finding = fault(
            "gradients",
            "gradients_not_zeroed",
            f"each call adds its gradients to those of the calls before: {says}",
            also="gradient_buffer_not_zeroed",
            fix="set the gradients to 0 at the beginning of each call",
            lesson=LESSONS.get("gradients_not_zeroed", ""),
        )
        return GradientEvidence(
            Evidence("gradient", (finding,)), Mended("the gradients without those of earlier calls", _Differences())
        )
    if not right(claims[0]):
        late = _late(subject, at, direction, claims, right)
        if late:
            says = f"in a new place the first right gradient is that of call {late + 1}: {says}"
            return _stale_evidence(
                f"the gradients are those of an earlier call: {says}",
                Mended("the gradients of a later call", _Later(subject, late)),
            )
        if np.ptp(claims) <= 1e-9 * size and _equal(before, calls[0]):
            return _stale_evidence(
                "the gradients are the same for other parameters and another batch: those of the first call "
                "are kept",
                Mended(),
            )
        if _equal(subject.gradients(subject.params), calls[0]):
            return _stale_evidence(
                "the gradients are the same for other parameters, to the last bit: those of an earlier call "
                "are kept",
                Mended(),
            )
    away = subject.but(batch=other)
    here, there = subject.gradients(at), away.gradients(at)
    elsewhere = along(away, at, direction)
    if _equal(here, there) and abs(elsewhere.value - truth.value) > 10 * near and right(claims[0]):
        return _stale_evidence(
            "the gradients of another batch are those of the first one, to the last bit: its samples are kept",
            Mended(),
        )
    return None


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


def _late(
    subject: Subject,
    at: dict[str, Array],
    direction: dict[str, Array],
    claims: list[float],
    right: Callable[[float], bool],
) -> int:
    """Return after how many calls in one place its gradient comes; 0 where it does not."""
    for k in range(1, _CALLS):
        claim = claims[k] if k < len(claims) else _claim(subject.gradients(at), direction, at)
        if right(claim):
            return k
    return 0


def _stale_evidence(says: str, mended: Mended) -> GradientEvidence:
    finding = fault(
        "gradients",
        "stale_gradient",
        says,
        also="stale_cache",
        fix="compute the forward pass of this call's parameters and batch before its gradients",
        lesson=LESSONS.get("stale_cache", ""),
    )
    return GradientEvidence(Evidence("gradient", (finding,)), mended)


class _Differences:
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


def _explained(
    subject: Subject,
    at: dict[str, Array],
    readings: dict[str, list[Reading]],
    claimed: Mapping[str, Array],
    tolerance: float,
) -> tuple[list[Finding], Mended]:
    """Return the findings of wrong gradients: constant factors, penalties, and else those of the catalogue."""
    known: dict[str, Finding] = {}
    mended = Mended()
    sums = _sizes(subject)
    for name, taken in readings.items():
        g = claimed.get(name)
        if g is None or not np.any(g):
            known[name] = _none(subject, name, taken, missing=g is None)
            continue
        factor = _factor(taken, tolerance)
        if factor is not None:
            mended.factors[name] = factor
            known[name] = _by_factor(name, factor, sums)
    known |= _penalised(subject, {n: r for n, r in readings.items() if n not in known}, mended, tolerance)
    known |= _penalised_in_part(subject, at, claimed, [n for n in readings if n not in known])
    rest = [n for n in readings if n not in known]
    if rest or any(_could_be_one_fault(f) for f in known.values()):
        known |= _by_catalogue(subject, at, rest, known, claimed)
    _mend(mended, known, subject)
    ordered = sorted((known[n] for n in readings if n in known), key=lambda f: f.cause == "gradient_wrong")
    return _merged(subject, [f for f in ordered if not f.fine]), mended


def _could_be_one_fault(finding: Finding) -> bool:
    return finding.evidence.get("factor_name") == ""


def _factor(readings: Sequence[Reading], tolerance: float) -> float | None:
    """Return by how much a gradient is too large, where it is the same along all directions."""
    usable = [r for r in readings if abs(r.slope.value) > 100 * r.slope.error and r.slope.value]
    if len(usable) < 2:
        return None
    ratios = [r.claimed / r.slope.value for r in usable]
    middle = float(np.median(ratios))
    if np.ptp(ratios) <= max(30 * tolerance, 1e-5) * abs(middle) and middle:
        return middle
    return None


def _sizes(subject: Subject) -> dict[str, float]:
    """Return the numbers that a wrong factor may be made of."""
    found: dict[str, float] = {}
    n = subject.count
    if n and n > 1:
        found["N"] = n
    found_t = subject.xt()
    t = None if found_t is None else np.asarray(found_t[1])
    if t is not None and t.ndim > 1 and t[0].size > 1:
        found["K"] = t[0].size
        if n and n > 1:
            found["N·K"] = n * t[0].size
    if subject.classes and subject.classes > 1:
        found.setdefault("K", subject.classes)
    return found


def factor_name(factor: float, sizes: Mapping[str, float]) -> str:
    """Return what a factor is made of: "N", "1/N", "-1", "2"; empty where nothing fits.

    Example:
        >>> factor_name(32.0, {"N": 32}), factor_name(-1 / 32, {"N": 32}), factor_name(0.7, {})
        ('N', '-1/N', '')
    """
    sign, size = ("-" if factor < 0 else ""), abs(factor)
    plain = {"1": 1.0, **sizes, "2": 2.0}
    plain |= {f"2·{k}": 2 * v for k, v in sizes.items()} | {f"{k}/2": v / 2 for k, v in sizes.items()}
    plain |= {f"{k}²": v * v for k, v in sizes.items()}
    for name, value in plain.items():
        if abs(size / value - 1) < 1e-4:
            return sign + name
        if abs(size * value - 1) < 1e-4:
            return f"{sign}1/{name}" if "·" not in name and "/" not in name else f"{sign}1/({name})"
    return ""


def _by_factor(name: str, factor: float, sizes: Mapping[str, float]) -> Finding:
    said = factor_name(factor, sizes)
    numbers = ", ".join(f"{k} = {v:g}" for k, v in sizes.items() if k in said)
    what = f"{factor:.6g} times" + (f", that is {said} times," if said not in ("", f"{factor:g}", "-1") else "")
    says = f"the gradient of {name} is {what} that of the loss"
    if said == "-1":
        says = f"the gradient of {name} has the opposite sign: subtracting it climbs"
    label = "sign_error" if factor < 0 else "batch_scale_wrong"
    also = "batch_scale_wrong" if factor < 0 and said != "-1" else ""
    mends = {"-1": f"d{name} = -d{name}"}.get(said, f"d{name} = d{name} / ({said or f'{factor:.6g}'})")
    return fault(
        f"gradient of {name}",
        label,
        says + (f" ({numbers})" if numbers else ""),
        fix=mends,
        also=also,
        lesson=LESSONS.get(label, ""),
        factor=factor,
        factor_name=said,
    )


def _none(subject: Subject, name: str, readings: Sequence[Reading], *, missing: bool) -> Finding:
    label = "missing_bias_gradient" if is_bias(subject, name) else "layer_not_trained"
    slopes = ", ".join(f"{r.slope.value:.3g}" for r in readings)
    how = "is missing" if missing else "is 0 everywhere"
    says = (
        f"the gradient of {name} {how}, and the loss changes with {name}: its slopes along random directions "
        f"are {slopes}"
    )
    also = "layer_not_trained" if label == "missing_bias_gradient" else "weight_gradient_zero"
    return fault(
        f"gradient of {name}",
        label,
        says,
        fix=f"compute the gradient of {name} and return it",
        also=also,
        lesson=LESSONS.get("weight_gradient_zero", ""),
    )


def is_bias(subject: Subject, name: str) -> bool:
    """Return whether a parameter is a bias: by its name, or since it has one axis."""
    last = name.lower().replace("_", ".").split(".")[-1].rstrip("0123456789")
    return last in _BIAS or (
        sum(size > 1 for size in subject.params[name].shape) < 2 and last not in ("w", "weight", "gamma", "g")
    )


def _penalised(
    subject: Subject, readings: dict[str, list[Reading]], mended: Mended, tolerance: float
) -> dict[str, Finding]:
    """Return the findings of gradients that differ by a multiple of the parameter, as a regulariser's does."""
    found: dict[str, Finding] = {}
    for name, taken in readings.items():
        factors = [(r.claimed - r.slope.value) / r.weight for r in taken if abs(r.weight) > 0]
        if len(factors) < 2:
            continue
        middle = float(np.median(factors))
        scale = max(abs(r.slope.value) + r.size for r in taken)
        noise = max(3 * r.slope.error + 10 * tolerance * scale for r in taken) / max(
            min(abs(r.weight) for r in taken), 1e-300
        )
        if np.ptp(factors) > 0.02 * abs(middle) + noise or abs(middle) < 5 * noise:
            continue
        found[name] = _of_penalty(subject, name, middle)
        if not found[name].fine:
            mended.factors[f"{name} penalty"] = middle
    return found


def _penalised_in_part(
    subject: Subject, at: dict[str, Array], claimed: Mapping[str, Array], names: Sequence[str]
) -> dict[str, Finding]:
    """Return the findings of gradients that differ by a multiple of some of the parameter's entries."""
    found: dict[str, Finding] = {}
    rng = np.random.default_rng(2)
    for name in names:
        w = at[name]
        largest = np.argsort(-np.abs(w), axis=None)[: max(w.size // 3, 8)]
        chosen = rng.choice(largest, min(largest.size, 16), replace=False)
        ratios = []
        for i in chosen:
            direction = np.zeros(w.shape)
            direction.flat[i] = typical(w)
            r = read(subject, at, claimed, name, direction)
            if not r.weight:
                continue
            noise = 10 * r.slope.error + 1e-9 * abs(r.claimed)
            ratios.append((r.claimed - r.slope.value) / r.weight if abs(r.claimed - r.slope.value) > noise else 0.0)
        off = np.array([x for x in ratios if x])
        if len(off) >= max(4, len(ratios) // 3) and np.ptp(off) < 0.01 * abs(float(np.median(off))):
            middle = float(np.median(off))
            if middle > 0 and name not in penalty(subject):
                found[name] = _of_penalty(subject, name, middle)
                continue
            says = (
                f"the gradient of {name} is right but for {middle:+.4g}·{name} in {len(off)} of "
                f"{len(ratios)} entries that were compared: a regulariser of part of it"
            )
            found[name] = fault(
                f"gradient of {name}",
                "regulariser_gradient_wrong",
                says,
                fix=f"the gradient of ½λ·Σ{name}² is λ·{name}, for the entries that the sum has",
                lesson=LESSONS["regulariser_gradient_wrong"],
                difference=middle,
            )
    return found


def _of_penalty(subject: Subject, name: str, difference: float) -> Finding:
    """Return the finding of a gradient that is off by a multiple of its parameter."""
    inside = penalty(subject).get(name, 0.0)
    has = f"the loss has {inside / 2:.4g}·Σ{name}²" if inside else f"the loss has no term of {name} alone"
    says = (
        f"the gradient of {name} is right but for {difference:+.4g}·{name}: {has}, and the gradient has "
        f"{inside + difference:.4g}·{name} of it"
    )
    if not inside and difference > 0:
        return Finding(
            output=f"gradient of {name}",
            verdict=Judgement.CONVENTION,
            says=f"{says}. That is weight decay, which losses often leave out",
            evidence={"convention": True},
        )
    return fault(
        f"gradient of {name}",
        "regulariser_gradient_wrong",
        says,
        fix=f"add {inside:.4g}·{name} for {inside / 2:.4g}·Σ{name}² in the loss",
        lesson=LESSONS["regulariser_gradient_wrong"],
        difference=difference,
    )


def _by_catalogue(
    subject: Subject,
    at: dict[str, Array],
    rest: Sequence[str],
    known: Mapping[str, Finding],
    claimed: Mapping[str, Array],
) -> dict[str, Finding]:
    """Return what the catalogue of mistakes says of parameters whose gradients differ by no plain factor."""
    told = named_by_catalogue(subject, at, [*rest, *known])
    found: dict[str, Finding] = {}
    for name in (*rest, *known):
        entry = told.get(name)
        if entry is not None and entry.cause is not None:
            found[name] = fault(
                f"gradient of {name}",
                entry.cause,
                entry.says,
                fix=entry.fix,
                also=(*entry.also, "gradient_wrong"),
                lesson=entry.lesson,
            )
        elif name in rest:
            says = f"the gradient of {name} is not that of the loss, and differs by no plain factor"
            notes = (_entries(subject, at, name, claimed), *(entry.notes if entry is not None else ()))
            found[name] = fault(
                f"gradient of {name}",
                "gradient_wrong",
                says,
                notes=notes,
                fix=f"compare it entry by entry: whygrad.check_gradient shows where {name} differs",
            )
    return found


def _entries(subject: Subject, at: dict[str, Array], name: str, claimed: Mapping[str, Array]) -> str:
    """Return a few entries of a gradient beside differences of the loss."""
    g, told = claimed[name], []
    chosen = np.unique(np.linspace(0, g.size - 1, 3).astype(int))
    for i in chosen:
        direction = np.zeros(g.shape)
        direction.flat[i] = typical(at[name])
        r = read(subject, at, claimed, name, direction)
        index = [int(k) for k in np.unravel_index(int(i), g.shape)]
        told.append(
            f"at {index} {r.claimed / typical(at[name]):.4g}, "
            f"and differences of the loss give {r.slope.value / typical(at[name]):.4g}"
        )
    same = (
        f"it is one number in all {g.size} entries; "
        if g.size > 2 and float(np.ptp(g)) <= 1e-9 * float(np.abs(g).max())
        else ""
    )
    return f"{same}{name} has {'; '.join(told)}"


def _mend_by_differences(mended: Mended, wrong: Sequence[str], subject: Subject) -> None:
    """Take differences of the loss in place of the gradients that are wrong, where they are few enough."""
    entries = sum(subject.params[n].size for n in wrong)
    subject.loss()
    if mended.change is not None or 2 * entries * subject.costs.get("loss", 0.0) > _A_STEP:
        return
    by_differences = differences(subject, wrong)
    mended.what, mended.steps = f"differences of the loss in place of {', '.join(wrong)}'s gradients", _MENDED_STEPS
    mended.change = lambda gradients, params, batch: {**gradients, **by_differences(params, batch)}


def _mend(mended: Mended, known: Mapping[str, Finding], subject: Subject) -> None:
    """Make the change that turns the wrong gradients into right ones, where numbers alone can do it."""
    wrong = [n for n, f in known.items() if not f.fine]
    if mended.change is not None or not all(n in mended.factors or f"{n} penalty" in mended.factors for n in wrong):
        _mend_by_differences(mended, wrong, subject)
        return
    factors = dict(mended.factors)

    def change(gradients: dict[str, Array], params: Any, batch: Any) -> dict[str, Array]:
        del batch
        new = dict(gradients)
        for name in wrong:
            if name in factors:
                new[name] = gradients[name] / factors[name]
            else:
                new[name] = gradients[name] - factors[f"{name} penalty"] * params[name]
        return new

    plain = {round(f, 6) for f in factors.values()}
    mended.change = change
    whole = len(wrong) == len(subject.names)
    subjects = "the gradients" if whole else f"the gradient{'s' if len(wrong) > 1 else ''} of {', '.join(wrong)}"
    if len(plain) == 1 and not any("penalty" in k for k in factors):
        value = next(iter(plain))
        mended.what = f"{subjects} times -1" if value == -1 else f"{subjects} divided by {value:.6g}"
    else:
        mended.what = f"{subjects} mended"


def _merged(subject: Subject, findings: list[Finding]) -> list[Finding]:
    """Return one finding for several parameters with one constant factor, or with errors that nothing explains."""
    plain = [f for f in findings if f.cause == "gradient_wrong" and len(f.notes) < 2]
    if len(plain) > 1:
        names = ", ".join(_bare(f) for f in plain)
        says = f"the gradients of {names} are not those of the loss, and differ by no plain factor"
        one = fault(
            f"gradients of {names}",
            "gradient_wrong",
            says,
            fix="compare them entry by entry: whygrad.check_gradient shows where they differ",
        )
        one = replace(one, notes=plain[0].notes)
        findings = [f for f in findings if f not in plain] + [one]
    factors = {round(float(f.evidence["factor"]), 5) for f in findings if "factor" in f.evidence}
    if len(findings) < 2 or len(factors) != 1 or not all("factor" in f.evidence for f in findings):
        return findings
    if len(findings) != len(subject.names):
        return findings
    first = findings[0]
    says = first.says.replace(f"the gradient of {_bare(first)} is", "all gradients are").replace(
        f"the gradient of {_bare(first)} has", "all gradients have"
    )
    says = says.replace(" that of the loss", " those of the loss").replace("subtracting it", "subtracting them")
    factor = float(first.evidence["factor"])
    fix = (
        "subtract them where you add, or change the sign of all"
        if factor == -1
        else first.fix.replace(f"d{_bare(first)}", "g")
    )
    return [fault("gradients", first.cause, says, fix=fix, also=first.also, lesson=first.lesson, **first.evidence)]


def _bare(finding: Finding) -> str:
    return finding.output.removeprefix("gradient of ")
