"""``diagnose_training``: the evidence in the order of its cost, until the answer is certain or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad.checking.time_limit import Limited
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.diagnosis.training.asking import training_of
from whygrad.diagnosis.training.calling import examine_calling, is_random
from whygrad.diagnosis.training.curvature import open_directions
from whygrad.diagnosis.training.data import examine_data
from whygrad.diagnosis.training.flow import dead_units, suspect_dead, suspect_flow
from whygrad.diagnosis.training.gradient import compared
from whygrad.diagnosis.training.implied import with_implied_gradients
from whygrad.diagnosis.training.learning import (
    examine_evaluation,
    examine_overfitting,
    suspect_inputs,
    suspect_labels,
    suspect_penalty,
    suspect_precision,
)
from whygrad.diagnosis.training.mending import Mended
from whygrad.diagnosis.training.numbers import examine_numbers
from whygrad.diagnosis.training.outputs import examine_outputs
from whygrad.diagnosis.training.own import subject_of_model
from whygrad.diagnosis.training.rate import suspect_rate
from whygrad.diagnosis.training.relation import examine_relation
from whygrad.diagnosis.training.report import Evidence, TrainingDiagnosis, Trial, fault, shown_by
from whygrad.diagnosis.training.start import equal_units, examine_start, redrawn, unusual_weights
from whygrad.diagnosis.training.stopping import CallFailed, Clock, OutOfTime
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion, tried
from whygrad.diagnosis.training.trials import as_given, constant_loss, cures, fails, run
from whygrad.diagnosis.training.updates import examine_updates
from whygrad.errors import CheckError
from whygrad.layers import Layer

SECONDS, TIME_LIMIT = 15.0, 10.0
#: Weight decay of an optimiser from which on it may be why little is learned.
_DECAY = 0.05


def diagnose_training(
    model: Layer | None = None,
    params: Mapping[str, Any] | None = None,
    data: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    gradients: Callable[..., Any] | None = None,
    learning_rate: float | None = None,
    batch: Any = None,
    step: Callable[..., Any] | None = None,
    momentum: float | None = 0.0,
    optimizer: Any = None,
    predict: Callable[..., Any] | None = None,
    logits: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    batches: Sequence[Any] | None = None,
    classes: int | None = None,
    clip: Any = None,
    batch_size: int = 32,
    thorough: bool = False,
    seconds: float = SECONDS,
    time_limit: float = TIME_LIMIT,
    seed: int = 0,
) -> TrainingDiagnosis:
    """Say why a training does not learn: gradient or learning rate, data, first values, numbers, optimiser.

    Either anyone's functions, on dictionaries of arrays, or a model of this package. Each cause comes with its
    evidence, and with the experiment that shows it: what is named as a remedy was run.

    Args:
        model: a model of this package; then ``params``, ``data`` as (images, targets) or a ``Dataset``, and
            ``optimizer`` and ``loss`` as ``fit`` takes them.
        params: parameters by name, as the training starts from them.
        data: all samples as (x, t), in the order of training.
        loss: ``loss(params, batch)`` → a number. With a model ``loss(prediction, target)``.
        gradients: ``gradients(params, batch)`` → gradients by name.
        learning_rate: of the training.
        batch: what the functions take as a batch, most often (x, t); with ``data`` alone its first samples.
        step: ``step(params, batch)`` → new parameters, or None if it writes to params; the training's own update.
        momentum: of plain gradient descent, where there is no step.
        optimizer: with a model an optimiser of this package; else maybe a name, "sgd", "adam" or "rmsprop".
        predict: ``predict(params, x)`` → classes, probabilities or scores in evaluation.
        logits: the same, if it gives logits.
        evaluate: ``evaluate(params, batch)`` → the loss in evaluation.
        batches: batches in the order of training.
        classes: how many classes there are, where the shapes do not tell.
        clip: with a model what ``fit`` takes as clip.
        batch_size: samples of a batch taken from ``data``.
        thorough: go on after the first certain cause.
        seconds: what all of it may take; what no time was left for is listed.
        time_limit: seconds that one call of a function may take.
        seed: of directions, redrawn weights and shuffles.

    Returns:
        The diagnosis: ``cause`` is the label of the first cause, "no_bug" for a healthy training, None where
        something is wrong and not known.

    Raises:
        OptionError: what is given is no training.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(20, 3))
        >>> t = x @ np.array([1.0, -2.0, 0.5])
        >>> def loss(params, batch): return float(((batch[0] @ params["w"] - batch[1]) ** 2).mean() / 2)
        >>> def gradients(params, batch): return {"w": batch[0].T @ (batch[0] @ params["w"] - batch[1]) / 20}
        >>> given = dict(loss=loss, gradients=gradients, params={"w": np.zeros(3)}, batch=(x, t))
        >>> diagnose_training(**given, learning_rate=0.1).cause
        'no_bug'
        >>> diagnose_training(**given, learning_rate=20.0).cause
        'learning_rate_too_high'
    """
    began = time.monotonic()
    clock = Clock(seconds)
    if model is not None:
        case = subject_of_model(
            model,
            params,
            data,
            optimizer=optimizer,
            loss=loss,
            learning_rate=learning_rate,
            batch=batch,
            clip=clip,
            batch_size=batch_size,
            seed=seed,
        )
        name = type(model).__name__
    else:
        case = training_of(
            loss=loss, gradients=gradients, params=params, learning_rate=learning_rate, batch=batch, step=step,
            momentum=momentum, optimizer=optimizer, predict=predict, logits=logits, evaluate=evaluate, data=data,
            batches=batches, classes=classes, batch_size=batch_size,
        )  # fmt: skip
        name = "training"
    case.clock, case.seed = clock, seed
    limited = Limited(time_limit)
    for attribute in (
        "loss_function",
        "gradients_function",
        "step_function",
        "scores_function",
        "evaluate_function",
    ):
        function = getattr(case, attribute)
        if function is not None and case.inside is None:  # kernels of the package may have to be compiled first
            setattr(case, attribute, limited.wrap(attribute.removesuffix("_function"), function))
    examination = _Examination(case, thorough)
    try:
        limited.run(examination.make)
    except CheckError as error:
        slow = fault(
            error.where,
            None,
            f"{error}",
            fix="pass a smaller batch, or a larger time_limit",
            verdict=Judgement.ERROR,
        )
        examination.found.insert(0, slow)
    return replace(examination.told(name), seconds=time.monotonic() - began)


class _Examination:
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
        yield calls
        if any(f.verdict is Judgement.ERROR for f in calls.findings):
            return
        start = subject.loss()
        if not np.isfinite(start):
            yield from self._not_finite_at_once()
            return
        yield from self._gradients()
        yield examine_outputs(subject)
        yield examine_relation(subject)
        updates = examine_updates(subject)
        beside = [f for f in updates.findings if f.cause in ("clipping_always", "regularisation_too_strong")]
        if not beside:
            yield updates
        yield from self._training(beside)

    def _not_finite_at_once(self) -> Iterator[Evidence]:
        """Say why the loss is not finite before the first step: the inputs, the formula, or the weights."""
        given = self._ran(run(self.subject, "as given", self.subject.stepper(), steps=1))
        self.given = given
        numbers = examine_numbers(self.subject)
        for suspicion in suspect_inputs(self.subject):
            inputs = self._tried(suspicion, given)
            if inputs is not None:
                also = tuple(c for c in [numbers.cause] if c)
                yield Evidence("data", (replace(inputs, also=also),))
        for suspicion in self._weights():
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
        how = fails(given, self.constant)
        if not beside and subject.weight_decay > _DECAY:
            says = f"the optimiser has a weight decay of {subject.weight_decay:g}"
            beside = [
                fault(
                    "update",
                    "regularisation_too_strong",
                    says,
                    lesson="A decay that outweighs the gradients pulls the weights to 0, whatever the data say.",
                )
            ]
        if beside:
            yield self._without(beside[0], given, how)
        if how is None:
            yield from self._faster(given)
            yield Evidence("training", says=str(given))
            yield self._solution(given)
            yield examine_evaluation(subject, given)
            return
        explained, strong = False, []
        for suspicion in self._suspicions(given, how):
            found = self._tried(suspicion, given)
            if found is None and suspicion.strong:
                strong.append(suspicion)
            if found is not None:
                explained = True
                yield Evidence(found.output, (self._with_more(found, given),))
        if not given.finite and not explained:
            numbers = self._where_not_finite(given)
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

    def _solution(self, given: Trial) -> Evidence:
        """Say whether other parameters would do as well, where there are few enough to tell."""
        subject = self.subject
        if subject.gradients_function is None or given.last > 1e-3 * abs(given.first):
            return Evidence("solution")
        found = open_directions(subject, given.params)
        if found is None or not found[0]:
            return Evidence("solution")
        says = (
            f"in {found[0]} of the {found[1]} directions of the parameters the loss does not change there: "
            "the targets do not determine the parameters, and another start ends at others"
        )
        return Evidence("solution", says=says)

    def _faster(self, given: Trial) -> Iterator[Evidence]:
        """Say what keeps a training that learns from learning as it could, where much speaks for it."""
        if given.first < 0.5 * self.constant or given.last < 0.05 * self.constant:
            return
        for suspicion in self._suspicions(given, ""):
            found = self._tried(suspicion, given, learning=True)
            if found is not None:
                yield Evidence(found.output, (self._with_more(found, given),))

    def _suspicions(self, given: Trial, how: str) -> Iterator[Suspicion]:
        """Yield what may be why the training fails, what explains the rest first."""
        subject = self.subject
        yield from suspect_inputs(subject)
        yield from suspect_labels(subject)
        yield from suspect_dead(subject)
        yield from self._weights()
        yield from suspect_flow(subject, given)
        yield from suspect_rate(subject, given, how)
        yield from suspect_precision(subject, given)
        yield from suspect_penalty(subject, given)

    def _weights(self) -> Iterator[Suspicion]:
        """Yield that the first weights are of an unusual size, or zeros, or equal units."""
        subject = self.subject
        unusual = unusual_weights(subject)
        equal = [n for n in subject.weights[:-1] if equal_units(subject.params[n])]
        if not unusual and not equal:
            return
        names = [u.name for u in unusual] or equal
        if equal:
            zeros = not any(np.any(subject.params[n]) for n in equal)
            names = [n for n in subject.weights if not np.any(subject.params[n])] if zeros else equal
            label, says = (
                ("zero_initialisation" if zeros else "symmetric_initialisation"),
                f"{', '.join(names)} start as {'zeros' if zeros else 'equal units'}",
            )
        else:
            large = [u for u in unusual if u.large]
            label, says = (
                "init_scale_wrong",
                f"the first weights are too {'large' if large else 'small'}: "
                f"{'; '.join(u.says for u in (large or unusual)[:2])}",
            )
        finding = fault(
            "first values",
            label,
            says,
            lesson=(
                "Each layer multiplies the variance of what passes by fan_in·Var(w), forwards and back. "
                "2/fan_in keeps it for ReLU, 1/fan_in for tanh."
            ),
        )

        def remedy() -> Trial:
            drawn = redrawn(subject, names, np.random.default_rng(subject.seed))
            return run(subject, f"{', '.join(names)} drawn with variance 2/fan_in", subject.stepper(), params=drawn)

        yield Suspicion(
            finding, [Remedy(remedy, "rng.normal(size=shape) * np.sqrt(2 / fan_in): that was run and learns")]
        )

    def _with_more(self, finding: Finding, given: Trial) -> Finding:
        """Return the finding with what else follows from it: where numbers stop being finite, units that died."""
        notes, also = list(finding.notes), list(finding.also)
        if not given.finite and len(given.losses) > 1:
            numbers = self._where_not_finite(given)
            if numbers.findings:
                notes.append(numbers.findings[0].says)
                if numbers.cause:
                    also.append(numbers.cause)
        elif given.finite and self.subject.gradients_function is not None:
            still = self.subject.gradients(given.params)
            if still and not any(np.any(g) for g in still.values()) and given.last > 1e-6 * abs(given.first):
                notes.append(
                    f"there every gradient is exactly 0, at a loss of {given.last:.3g}: "
                    "every unit is dead, and nothing will change again"
                )
                also.append("dead_units")
            died = {n: s for n, s in dead_units(self.subject, given.params).items() if s > 0.9}
            if died and "dead_units" not in (finding.cause, *also):
                notes.append(
                    f"after it {', '.join(f'{s:.0%} of the units of {n}' for n, s in died.items())} get no "
                    "gradient from any sample: they are dead"
                )
                also.append("dead_units")
        return replace(finding, notes=tuple(notes), also=tuple(dict.fromkeys(also)))

    def _where_not_finite(self, given: Trial) -> Evidence:
        """Return where numbers stop being finite in the step after the last finite one."""
        for batch in (None, self.subject.watched):
            numbers = examine_numbers(self.subject, given.params, batch)
            if numbers.findings:
                return numbers
        try:
            after = self.subject.stepper()(dict(given.params), self.subject.batch)
        except CallFailed:
            return Evidence("numbers")
        return examine_numbers(self.subject, after)

    def _without(self, finding: Finding, given: Trial, how: str | None) -> Evidence:
        """Train without clipping, or without weight decay, and say whether that was at fault."""
        clipped = finding.cause == "clipping_always"
        what = "without clipping" if clipped else "without weight decay"
        rate = float(self.subject.learning_rate or 0.0)
        self.clipped = clipped
        for share in (1.0, 0.5, 0.1):
            name = what if share == 1 else f"{what}, learning rate {rate * share:.3g}"
            free = self._ran(run(self.subject, name, self.subject.stepper(rate * share), steps=200))
            if cures(free, given, self.constant, learning=how is None):
                break
        if cures(free, given, self.constant, learning=how is None):
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

    def told(self, name: str) -> TrainingDiagnosis:
        """Return what was found."""
        findings = (*self.found, *self.fine)
        if self.broken_off and not self.found and self.given is None:
            says = f"nothing wrong was found before the training itself could be run, but then {self.broken_off}"
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
