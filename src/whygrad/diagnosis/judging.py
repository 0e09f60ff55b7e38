"""From what a person's code gave at the probes to a finding about one gradient."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.catalogue import Mistake, Subject, predict
from whygrad.diagnosis.composition import composed, overwritten, turned, uniform
from whygrad.diagnosis.domains import Domain, domains
from whygrad.diagnosis.hints import preferred
from whygrad.diagnosis.hypotheses import Hypothesis, Sample, Search, patience_of, right_of, same, search, shared
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.localising import localised
from whygrad.diagnosis.outcomes import Outcome, right, sample_of
from whygrad.diagnosis.placing import cut
from whygrad.diagnosis.regularising import regulariser
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.sizes import failing_label, places, tagged
from whygrad.diagnosis.updating import updated
from whygrad.diagnosis.wording import beside, causes_of, undecided, written

#: Entries that have to be wrong where not all sizes are judged, and seconds of the processor for one output.
ENOUGH, PATIENCE = 12, 1.0


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
            where=tagged([o.probe for o in failed], [o.probe for o in outcomes if o not in failed], "fails",
                          names),
            lesson=LESSONS.get(label or "", ""),
        )  # fmt: skip
    return Finding(output=output, verdict=Judgement.RIGHT)


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
