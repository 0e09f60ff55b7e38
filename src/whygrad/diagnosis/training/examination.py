"""One examination of a training: all kinds of evidence, cheapest first, until the answer is certain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.training.aftermath import where_not_finite, with_aftermath
from whygrad.diagnosis.training.calling import examine_calling, is_random
from whygrad.diagnosis.training.data import examine_data
from whygrad.diagnosis.training.dropped import suspect_dropped
from whygrad.diagnosis.training.evaluation import examine_evaluation
from whygrad.diagnosis.training.fed import suspect_inputs, suspect_labels
from whygrad.diagnosis.training.first_weights import suspect_weights
from whygrad.diagnosis.training.flow import suspect_flow
from whygrad.diagnosis.training.gradient import compared
from whygrad.diagnosis.training.implied import with_implied_gradients
from whygrad.diagnosis.training.mending import Mended
from whygrad.diagnosis.training.modes import examine_modes
from whygrad.diagnosis.training.numbers import BREAKING, examine_numbers, not_finite_from_the_start
from whygrad.diagnosis.training.outputs import examine_outputs
from whygrad.diagnosis.training.overfitting import examine_overfitting
from whygrad.diagnosis.training.own_step import suspect_step
from whygrad.diagnosis.training.penalty import suspect_penalty
from whygrad.diagnosis.training.precision import suspect_precision
from whygrad.diagnosis.training.rate import MUCH_MOMENTUM, suspect_rate
from whygrad.diagnosis.training.relation import examine_relation
from whygrad.diagnosis.training.report import Evidence, TrainingDiagnosis, Trial, fault, shown_by
from whygrad.diagnosis.training.rounding import examine_rounding
from whygrad.diagnosis.training.rule_followed import given_decay
from whygrad.diagnosis.training.solution import examine_solution
from whygrad.diagnosis.training.start import examine_start
from whygrad.diagnosis.training.stopping import CallFailed, OutOfTime
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Suspicion, tried
from whygrad.diagnosis.training.trials import as_given, constant_loss, cures, fails, run
from whygrad.diagnosis.training.truncated_samples import examine_truncated_samples
from whygrad.diagnosis.training.units import suspect_dead
from whygrad.diagnosis.training.updates import examine_updates

#: As a share of what a constant prediction costs: a training that comes no lower has learned little.
_LITTLE = 0.4
_RATES = ("learning_rate_too_high", "learning_rate_too_low", "momentum_too_high")


class Examination:
    """One examination: what was found so far, and what comes next."""

    def __init__(self, subject: Subject, thorough: bool) -> None:
        self.subject, self.thorough = subject, thorough
        self.found: list[Finding] = []
        self.fine: list[Finding] = []
        self.untested: list[str] = []
        self.trials: list[Trial] = []
        self.constant = float("nan")
        self.given: Trial | None = None
        self.clipped = False
        self.broken_off = ""  #: why the examination did not come to its end

    def make(self) -> None:
        """Examine, cheapest first."""
        order = self._stages()
        try:
            for evidence in order:
                self._take(evidence)
                if self.found and not self.thorough:
                    return
        except OutOfTime:
            self.broken_off = f"{self.subject.clock.seconds:g} s were over"
        except CallFailed as failed:
            self.broken_off = str(failed)
        if self.broken_off:
            self.untested.append(f"what comes after: {self.broken_off}")

    def told(self, name: str) -> TrainingDiagnosis:
        """Return what was found."""
        findings = (*self.found, *self.fine)
        says = self._unfinished()
        if says:
            unknown = fault("training", None, says, fix="allow more seconds, or pass a smaller batch")
            findings = (replace(unknown, verdict=Judgement.ERROR), *findings)
        if not findings:
            findings = (fault("training", None, "nothing could be tested", verdict=Judgement.ERROR),)
        return TrainingDiagnosis(
            subject=name,
            findings=findings,
            calls=self.subject.calls,
            trials=tuple(self.trials),
            untested=tuple(dict.fromkeys(self.untested)),
        )

    def _unfinished(self) -> str:
        """Return why nothing can be said; "" where a fault was found, or all that a healthy training must pass."""
        if not self.broken_off or self.found:
            return ""
        if self.given is None:
            return f"nothing wrong was found before the training itself could be run, but then {self.broken_off}"
        how = fails(self.given, self.constant)
        return f"the loss {how} ({self.given}), and before a cause was found {self.broken_off}" if how else ""

    def _take(self, evidence: Evidence) -> None:
        labels = {f.cause for f in self.found}
        self.found += [f for f in evidence.findings if not f.fine and (f.cause is None or f.cause not in labels)]
        self.fine += [f for f in evidence.findings if f.fine]
        self.untested += evidence.untested
        if evidence.says and not evidence.findings:
            self.fine.append(Finding(output=evidence.area, verdict=Judgement.RIGHT, says=evidence.says))

    def _stages(self) -> Iterator[Evidence]:
        subject = self.subject
        yield examine_data(subject)
        calls = examine_calling(subject)
        if any(f.verdict is Judgement.ERROR for f in calls.findings):
            numbers = examine_numbers(subject)  # math.log(0) raises where np.log(0) does not
            yield numbers if numbers.cause else calls
            return
        yield calls
        bad = not_finite_from_the_start(subject)
        if bad is not None:
            yield from self._not_finite_at_once(subject.but(batch=bad))
            return
        yield from self._gradients()
        yield examine_outputs(subject)
        yield examine_truncated_samples(subject)
        yield examine_relation(subject)
        yield examine_modes(subject)
        updates = examine_updates(subject)
        beside = [f for f in updates.findings if f.cause in ("clipping_always", "regularisation_too_strong")]
        if not beside:
            yield updates
        yield from self._training(beside)

    def _not_finite_at_once(self, bad: Subject) -> Iterator[Evidence]:
        """Say why a batch's loss is not finite before the first step: the inputs, the formula, or the weights."""
        given = self._ran(run(self.subject, "as given", self.subject.stepper(), steps=1))
        self.given = given
        numbers = examine_numbers(bad)
        for suspicion in suspect_inputs(self.subject):
            inputs = self._tried(suspicion, given)
            if inputs is not None:
                also = tuple(c for c in [numbers.cause] if c)
                yield Evidence("data", (replace(inputs, also=also),))
        for suspicion in suspect_weights(self.subject):
            first = self._tried(suspicion, given)
            fragile = any(
                f.evidence.get("operation") in ("exp", "exp2", "expm1", "cosh", "sinh") for f in numbers.findings
            )
            if first is not None and numbers.cause in (None, "overflow") and not fragile:
                yield Evidence("start", (first,))
        yield numbers

    def _gradients(self) -> Iterator[Evidence]:
        subject = self.subject
        if is_random(subject):
            yield Evidence(
                "gradient",
                untested=("the gradients: the loss is random, and its differences are those of the dice",),
            )
            return
        if subject.gradients_function is None:
            told = with_implied_gradients(subject)
            yield Evidence("step", untested=told.untested)
            if told.subject is None:
                return
            self.subject = subject = told.subject
        evidence, mended = compared(subject, seed=subject.seed)
        if evidence.cause is not None or any(not f.fine for f in evidence.findings):
            evidence = self._shown(evidence, mended)
        yield evidence

    def _shown(self, evidence: Evidence, mended: Mended) -> Evidence:
        """Return the findings about gradients with the training as given and with mended gradients."""
        if not self.subject.clock.allows(1.0):
            return evidence
        given = self._ran(as_given(self.subject))
        self.given = given
        faults = list(evidence.findings)
        i = next((k for k, f in enumerate(faults) if not f.fine), 0)
        if mended.change is not None and self.subject.learning_rate:
            plain = self._ran(
                run(
                    self.subject,
                    f"with {mended.what}",
                    self.subject.stepper(change=mended.change),
                    steps=mended.steps,
                )
            )
            faults[i] = shown_by(faults[i], given, plain)
        else:
            faults[i] = shown_by(faults[i], given)
            self.untested.append(
                "the mended training: the right gradients do not follow from these by a factor, so that it was "
                "not run"
            )
        return evidence._replace(findings=tuple(faults))

    def _training(self, beside: list[Finding]) -> Iterator[Evidence]:
        subject = self.subject
        given = self.given = self._ran(as_given(subject))
        self.constant = constant_loss(subject)
        yield examine_start(subject, given.params)
        yield examine_rounding(subject, given)
        how = fails(given, self.constant)
        beside = beside or given_decay(subject)
        if beside:
            yield self._without(beside[0], given, how)
        if how is None:
            yield from self._faster(given)
            yield Evidence("training", says=str(given))
            yield examine_solution(subject, given)
            yield examine_evaluation(subject, given, self.constant)
        else:
            yield from self._failing(given, how)

    def _failing(self, given: Trial, how: str) -> Iterator[Evidence]:
        """Say why the training fails: what an experiment confirms, or where numbers stop being finite."""
        explained, strong = False, []
        for suspicion in self._suspicions(given, how):
            if suspicion.finding.cause == "float32_precision" and self._breaks(given):
                continue  # more digits would put off what a formula does
            found = self._tried(suspicion, given)
            if found is None and suspicion.strong:
                strong.append(suspicion)
            if found is not None:
                explained = True
                yield self._unless_incapable(found, given)
        if not given.finite and not explained:
            numbers = where_not_finite(self.subject, given)
            if numbers.findings:
                first = shown_by(numbers.findings[0], given)
                yield numbers._replace(findings=(first, *numbers.findings[1:]))
                return
        if not explained and strong:
            tries = "; ".join(str(t) for t in self.trials[-len(strong[0].remedies) :])
            note = f"nothing that was tried helps so soon: {tries}"
            yield Evidence("flow", (shown_by(replace(strong[0].finding, notes=(note,)), given),))
        elif not explained:
            yield from self._last_resort(given, how)

    def _breaks(self, given: Trial) -> bool:
        """Return whether a formula that fails for some finite numbers is why a loss is not finite."""
        return not given.finite and where_not_finite(self.subject, given).cause in BREAKING

    def _faster(self, given: Trial) -> Iterator[Evidence]:
        """Say what keeps a training that learns from learning as it could, where much speaks for it."""
        later = float(np.mean(given.losses[len(given.losses) // 2 :]))
        last = later if self.subject.momentum >= MUCH_MOMENTUM else given.last
        if given.first < 0.5 * self.constant or last < 0.05 * self.constant:
            return
        for suspicion in self._suspicions(given, ""):
            found = self._tried(suspicion, given, learning=True)
            if found is not None:
                yield self._unless_incapable(found, given)
        if given.last > _LITTLE * self.constant:
            yield examine_overfitting(self.subject)

    def _unless_incapable(self, found: Finding, given: Trial) -> Evidence:
        """Return a finding, or that not even a few samples can be learned, where its remedy helps but little."""
        if found.cause in _RATES and self.trials[-1].last > _LITTLE * self.constant:
            few = examine_overfitting(self.subject)
            if few.findings:
                return few
        return Evidence(found.output, (with_aftermath(self.subject, found, given),))

    def _suspicions(self, given: Trial, how: str) -> Iterator[Suspicion]:
        """Yield what may be why the training fails, what explains the rest first."""
        subject = self.subject
        yield from suspect_inputs(subject)
        yield from suspect_labels(subject)
        yield from suspect_dropped(subject, given)
        yield from suspect_dead(subject)
        yield from suspect_weights(subject)
        yield from suspect_flow(subject, given)
        yield from suspect_step(subject)
        yield from suspect_rate(subject, given, how)
        yield from suspect_precision(subject, given)
        yield from suspect_penalty(subject, given)

    def _without(self, finding: Finding, given: Trial, how: str | None) -> Evidence:
        """Train without clipping, or without weight decay, and say whether that was at fault."""
        clipped = finding.cause == "clipping_always"
        what = "without clipping" if clipped else "without weight decay"
        rate = float(self.subject.learning_rate or 0.0)
        self.clipped = clipped
        for share in (1.0, 0.5, 0.1):
            name = what if share == 1 else f"{what}, learning rate {rate * share:.3g}"
            free = self._ran(run(self.subject, name, self.subject.stepper(rate * share), steps=200))
            if cures(free, given, self.constant, better=0.5 if how is None else None):
                break
        if cures(free, given, self.constant, better=0.5 if how is None else None):
            fix = (
                "raise the limit until most steps are not cut, or leave clipping out"
                if clipped
                else "lower the weight decay to 1e-4 or so"
            )
            return Evidence(
                finding.output, (shown_by(replace(finding, fix=f"{fix}: {what} was run and learns"), given, free),)
            )
        return Evidence(finding.output, says=finding.says)

    def _last_resort(self, given: Trial, how: str) -> Iterator[Evidence]:
        if how == "stalls":
            few = examine_overfitting(self.subject)
            yield few
            if few.findings:
                return
            yield Evidence("training", says=f"{given}: slow, and nothing that was tried shows a fault")
            return
        says = f"the training {how}, and nothing that was tried helps"
        yield Evidence("training", (shown_by(fault("training", None, says), given),))

    def _tried(self, suspicion: Suspicion, given: Trial, *, learning: bool = False) -> Finding | None:
        if self.clipped and suspicion.finding.cause == "learning_rate_too_high":
            return None  # no step was as long as the rate says
        found, ran = tried(self.subject, suspicion, given, self.constant, learning=learning)
        self.trials += ran
        return found

    def _ran(self, trial: Trial) -> Trial:
        self.trials.append(trial)
        return trial
