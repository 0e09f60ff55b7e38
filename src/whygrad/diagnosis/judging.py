"""From what a person's code gave at the probes to a finding about one gradient."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.adapting import Result
from whygrad.diagnosis.catalogue import Mistake, Subject, predict
from whygrad.diagnosis.composition import composed, overwritten, turned, uniform
from whygrad.diagnosis.domains import Domain, domains
from whygrad.diagnosis.hints import preferred
from whygrad.diagnosis.hypotheses import (
    EXACT,
    SINGLE,
    Hypothesis,
    Sample,
    Search,
    patience_of,
    right_of,
    same,
    search,
    shared,
)
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.localising import localised
from whygrad.diagnosis.placing import cut
from whygrad.diagnosis.probes import Probe
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.updating import updated
from whygrad.diagnosis.wording import beside, causes_of, undecided, written
from whygrad.typing import Array

#: Relative difference up to which a gradient is right: rounding, and small constants such as 1e-8 in a denominator.
RIGHT = 1e-6
#: Entries that have to be wrong where not all sizes are judged, and seconds of the processor for one output.
ENOUGH, PATIENCE = 12, 1.0


#: Numbers that there have to be for a factor of a parameter to be read off.
FEW = 4


class Outcome(NamedTuple):
    """One probe and what the code gave there."""

    probe: Probe
    result: Result


def judge(
    subject: Subject, output: str, outcomes: Sequence[Outcome], source: str = "", precision: float | None = None
) -> Finding:
    """Return the finding about one output.

    Args:
        subject: the operation.
        output: "dx", "dw", ... or "y".
        outcomes: at every probe.
        source: the code, where it can be read: it decides between causes that cannot be told apart by numbers.
        precision: how exact the results are, relative to the largest; from the results themselves if left out.
    """
    samples = [sample_of(outcome, output, precision) for outcome in outcomes]
    known = [s for s in samples if s.value is not None]
    if not known:
        return _nothing(subject, output, outcomes)
    wrong = [s for s in known if not right(s, output)]
    failed = [o for o in outcomes if o.result.error is not None and not o.result.refused]
    if not wrong:
        return _right(output, outcomes, failed)
    first = search(subject, output, known, pairs=False)
    read_off = None if first.accepted else _read_off(subject, output, known)
    if read_off is not None:
        return replace(read_off, where=places(samples, output))
    found, domain = explained(subject, output, known, first)
    where = places([s for s in samples if not domain.name or s.probe.name in domain.probes], output)
    if domain.name:
        judged = f"judged for {domain.name}, since beyond it the results do not fit together"
        where = f"{judged}: {where}" if where else judged
        known = [s for s in known if s.probe.name in domain.probes]
    if found.accepted:
        told = _explained(subject, output, found, known, where, source)
        return replace(told, evidence={**told.evidence, "sizes": domain.name}) if domain.name else told
    return _unexplained(subject, output, wrong, where, found)


def _read_off(subject: Subject, output: str, known: Sequence[Sample]) -> Finding | None:
    """Return what can be read off the numbers without a guess: terms too many, with factors, or overwritten."""
    for read in (uniform, turned, composed, overwritten, cut, updated):
        found = read(subject, output, known)
        if found is not None:
            return found
    return regulariser(output, known)


def judged(
    subject: Subject, outputs: Sequence[str], outcomes: Sequence[Outcome], source: str = ""
) -> list[Finding]:
    """Return the findings about several outputs, which share the patience of two."""
    samples = {output: [sample_of(o, output) for o in outcomes] for output in outputs}
    wrong = sum(any(s.value is not None and not right(s, n) for s in known) for n, known in samples.items())
    with shared(wrong):
        return [judge(subject, output, outcomes, source) for output in outputs]


def explained(subject: Subject, output: str, known: Sequence[Sample], first: Search) -> tuple[Search, Domain]:
    """Return what explains an output, and for which sizes: all of them, or those that the code may be meant for.

    A mistake, for which the first search was, then two, that explain every number are believed first. Fewer sizes
    are tried only after that, and there a mistake has to do without a factor that nothing explains.
    """
    whole = Domain("", frozenset(s.probe.name for s in known))
    if first.accepted:
        return first, whole
    if _reachable(subject, output, known):
        both = search(subject, output, known)
        if both.accepted:
            return both, whole
    began = time.thread_time()
    kinds = domains([s.probe for s in known])[1:]
    for pairs in (False, True):
        for domain in kinds[: 8 if pairs else None]:
            inside = [s for s in known if s.probe.name in domain.probes]
            wrong = [s for s in inside if not right(s, output)]
            if len(wrong) < 2 or sum(s.value.size for s in wrong if s.value is not None) < ENOUGH:
                continue
            found = search(subject, output, inside, pairs=pairs, patience=0.3)
            named = [h for h in found.accepted if h.factor.named and h.mistakes]
            if named:
                return found._replace(accepted=named), domain
            if time.thread_time() - began > patience_of(PATIENCE):
                return first, whole
    return first, whole


def _reachable(subject: Subject, output: str, known: Sequence[Sample]) -> bool:
    """Whether the right output, or one with a single mistake, has the shapes that were given; else two have not."""
    for candidate in ((), *((m,) for m in subject.of(output))):
        guesses = [predict(s.probe, output, candidate) for s in known]
        if all(
            g is not None and s.value is not None and g.size == s.value.size
            for g, s in zip(guesses, known, strict=True)
        ):
            return True
    return False


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


def _nothing(subject: Subject, output: str, outcomes: Sequence[Outcome]) -> Finding:
    errors = [o.result.error for o in outcomes if o.result.error]
    if errors:
        return Finding(
            output=output, verdict=Judgement.ERROR, says=f"the code fails at every size that was tried: {errors[0]}"
        )
    label = {"dx": "dx_missing", "db": "missing_bias_gradient"}.get(output, "gradient_missing")
    returned = any(output in o.result.outputs for o in outcomes)
    says = f"your {output} is None" if returned else f"no {output} is returned"
    also = {"dx": ("dx_not_propagated",), "db": ("gradient_missing",)}.get(output, ("weight_gradient_zero",))
    fix = subject.lines.get(output, "")
    return Finding(
        output=output,
        verdict=Judgement.MISSING,
        cause=label,
        also=also,
        says=says,
        fix=fix,
        lesson=LESSONS.get(label, ""),
    )


def _right(output: str, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> Finding:
    names = [o.probe.name for o in failed]
    if failed and len(failed) < len(outcomes):
        error = failed[0].result.error
        label = failing_label(failed, outcomes)
        return Finding(
            output=output, verdict=Judgement.ERROR, cause=label,
            says=f"your {output} is right where the code runs, but it fails: {error}",
            where=_tagged([o.probe for o in failed], [o.probe for o in outcomes if o not in failed], "fails",
                          names),
            lesson=LESSONS.get(label or "", ""),
        )  # fmt: skip
    return Finding(output=output, verdict=Judgement.RIGHT)


def failing_label(failed: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str | None:
    """Return the cause of code that is right where it runs and fails elsewhere, where the sizes tell it."""
    running = [o.probe for o in outcomes if o.result.error is None]
    tag = _separating([o.probe for o in failed], running)
    causes = {
        "a remainder that the stride leaves": "stride_remainder_dropped",
        "images that are not square": "height_width_mixed_up",
        "kernels that are not square": "height_width_mixed_up",
        "windows that are not square": "height_width_mixed_up",
        "padding > 0": "padding_not_cropped",
        "different numbers of channels and filters": "channel_axes_not_swapped",
        "stride > 1": "stride_not_dilated",
    }
    return causes.get(tag or "")


def places(samples: Sequence[Sample], output: str) -> str:
    """Return at which sizes an output is right and at which it is wrong."""
    known = [s for s in samples if s.value is not None]
    bad = [s.probe for s in known if not right(s, output)]
    good = [s.probe for s in known if right(s, output)]
    if not good:
        noun = "points" if bad[0].subject.name in ("network", "loss") else "sizes"
        return f"wrong at all {len(bad)} {noun} that were tried" if len(bad) > 1 else ""
    return _tagged(bad, good, "wrong", [p.name for p in bad])


def _tagged(bad: Sequence[Probe], good: Sequence[Probe], verb: str, names: Sequence[str]) -> str:
    tag = _separating(bad, good)
    if tag:
        return f"{verb} for {tag}, right elsewhere: that is why it may go unnoticed"
    hidden = [p.name for p in good]
    return f"{verb} at: {'; '.join(names)}. Right at: {'; '.join(hidden)}"


def _separating(bad: Sequence[Probe], good: Sequence[Probe]) -> str | None:
    tags = sorted(set().union(*(p.tags for p in (*bad, *good))) if bad or good else ())
    for tag in tags:
        if all(tag in p.tags for p in bad) and not any(tag in p.tags for p in good):
            return tag
    return None


def _explained(
    subject: Subject, output: str, found: Search, known: Sequence[Sample], where: str, source: str
) -> Finding:
    """Return the finding for the simplest hypothesis, or for several that nothing tells apart."""
    found = found._replace(accepted=[ordered(output, h, known) for h in found.accepted])
    plain = [h for h in found.accepted if h.mistakes and not h.factor.cost]
    if output == "y" and plain and not found.accepted[0].mistakes:  # a value is no gradient of a mean or a sum
        found = found._replace(accepted=[*plain, *found.accepted])
    best = found.accepted[0]
    equals = [h for h in found.accepted if h.cost <= best.cost]
    labels = {label for h in equals for label in causes_of(subject, h)[:1]}
    if len(labels) > 1:
        chosen = preferred(labels, source)
        agreeing = [h for h in equals if chosen and causes_of(subject, h)[0] == chosen]
        shared = set.intersection(*({*causes_of(subject, h), *beside(subject, h)} for h in equals))
        if agreeing:
            best = agreeing[0]
        elif shared:
            label = next(label for label in causes_of(subject, best) + beside(subject, best) if label in shared)
            return _with_twins(subject, written(subject, output, best, found, known, where, label), best, found)
        else:
            return undecided(output, equals, known, where, found)
    label = causes_of(subject, best)[0]
    chosen = preferred({label, *beside(subject, best)}, source)
    return _with_twins(subject, written(subject, output, best, found, known, where, chosen or label), best, found)


def _with_twins(subject: Subject, finding: Finding, best: Hypothesis, found: Search) -> Finding:
    """Return the finding with the causes beside it that give the same numbers and are less likely."""
    twins = [h for h in found.accepted if len(h.mistakes) == len(best.mistakes)]
    labels = dict.fromkeys((*finding.also, *(label for h in twins for label in causes_of(subject, h))))
    return replace(finding, also=tuple(label for label in labels if label != finding.cause))


def ordered(output: str, hypothesis: Hypothesis, known: Sequence[Sample]) -> Hypothesis:
    """Return the hypothesis with the mistake first that spoils more of the probes on its own."""
    if len(hypothesis.mistakes) < 2:
        return hypothesis

    def spoiled(m: Mistake) -> int:
        guesses = [(predict(s.probe, output, (m,)), right_of(s.probe, output)) for s in known]
        return sum(guess is None or not same(guess, truth) for guess, truth in guesses)

    return replace(hypothesis, mistakes=tuple(sorted(hypothesis.mistakes, key=spoiled, reverse=True)))


def _unexplained(subject: Subject, output: str, wrong: Sequence[Sample], where: str, found: Search) -> Finding:
    """Return what is known of an error whose cause is not."""
    sample = max(
        wrong,
        key=lambda s: (s.value is not None and s.value.shape == right_of(s.probe, output).shape, s.probe.dy.size),
    )
    assert sample.value is not None
    truth = right_of(sample.probe, output)
    if sample.value.shape != truth.shape:
        shapes = f"{sample.value.shape} where it should have {truth.shape}"
        says = f"your {output} has the shape {shapes} ({sample.probe.name})"
        return Finding(output=output, verdict=Judgement.SHAPE, says=says, where=where)
    if not np.isfinite(sample.value).all():
        return Finding(
            output=output,
            verdict=Judgement.WRONG,
            says=f"your {output} is not finite ({sample.probe.name})",
            where=where,
        )
    notes = localised(output, sample.value, truth, sample.probe)
    rival = (
        {"rival": found.rival, "rival_misfit": found.rival_misfit}
        if found.rival and np.isfinite(found.rival_misfit)
        else {}
    )
    return Finding(
        output=output, verdict=Judgement.WRONG, says=f"your {output} is wrong, and nothing in the catalogue "
        "explains it",
        where=where, notes=tuple(notes), evidence=rival, fix=subject.lines.get(output, ""),
    )  # fmt: skip


def regulariser(output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if all that differs is a multiple of a parameter or of its signs, as of a regulariser."""
    name = output.removeprefix("d")
    shapes: tuple[tuple[str, Callable[[Array], Array], Callable[[float], str]], ...] = (
        (name, lambda a: a, lambda c: f"{c / 2:.4g}·Σ{name}²"),
        (f"the signs of {name}", np.sign, lambda c: f"{c:.4g}·Σ|{name}|"),
    )
    for what, added, term in shapes:
        factors = [_multiple(s, right_of(s.probe, output), s.probe.inputs.get(name), added) for s in known]
        told = [c for c in factors if c is not None]
        if (
            sum(s.value.size for s in known if s.value is not None) < FEW
        ):  # a multiple fits one number, whatever it is
            return None
        if name == "x" or not told or len(told) < len(factors) or np.ptp(told) > 1e-6 * max(map(abs, told)):
            continue
        return Finding(
            output=output, verdict=Judgement.WRONG, cause="regulariser_gradient_wrong",
            says=f"your {output} is right plus {told[0]:.4g} times {what}: a regulariser's gradient, which "
            + ("no loss of this layer has" if told[0] > 0 else "is left out or has the wrong sign"),
            evidence={"misfit": 0.0, "probes": len(known), "factor": told[0]},
            fix=f"add it where the loss has {term(abs(told[0]))}",
            lesson=LESSONS["regulariser_gradient_wrong"],
        )  # fmt: skip
    return None


def _multiple(sample: Sample, truth: Array, array: Array | None, added: Callable[[Array], Array]) -> float | None:
    """Return c where a result is right plus c times something made of a parameter; None where it is not."""
    if array is None or sample.value is None or sample.value.shape != truth.shape != ():
        return None
    rest, term = sample.value - truth, added(array)
    c = float(rest.ravel() @ term.ravel()) / max(float(term.ravel() @ term.ravel()), 1e-300)
    if np.abs(rest - c * term).max(initial=0) > 1e-6 * np.abs(sample.value).max(initial=1e-300):
        return None
    return c
