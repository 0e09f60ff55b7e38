"""What can be wrong with steps that follow the formula of an optimiser, a right one or a wrong one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.adaptive import Adaptive
from whygrad.diagnosis.training.descent import Descent, Stepper
from whygrad.diagnosis.training.factors import factor_name
from whygrad.diagnosis.training.fitting import Fit
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.rules import REPLACES, Rule
from whygrad.diagnosis.training.subject import Subject

#: How near two rates must be to be the same.
_NEAR = 1e-3
#: Weight decay, relative to the learning rate, from which on it may be why little is learned.
_DECAY = 0.05
#: The formulas of optimisers.
_RIGHT = {
    "adam": "m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), w = w − η·m̂/(√v̂ + eps), t counted once a step from 1",
    "rmsprop": "v = ρ·v + (1−ρ)·g², w = w − η·g/(√v + eps)",
    "momentum": "v = β·v + g, w = w − η·v",
    "nesterov": "v = β·v + g, w = w − η·(g + β·v)",
}


def follows(subject: Subject, fit: Fit) -> Evidence:
    """Judge steps that follow a right rule: their sign, their size, their decay, their momentum."""
    if abs(fit.decay - 1) < 1e-3:
        return follows_wrong(replace(fit.rule, wrong=REPLACES))
    finding = (
        _climbs(fit)
        or _rate_twice(subject, fit)
        or _scaled(subject, fit)
        or _decays(fit)
        or _without_momentum(subject, fit)
    )
    if finding is not None:
        return Evidence("updates", (finding,))
    _remember(subject, fit)
    return Evidence("updates", says=_told(fit))


def _remember(subject: Subject, fit: Fit) -> None:
    """Let the training be run by its own formula at other rates."""

    def at_rate(training: Subject, rate: float) -> Stepper:
        return Adaptive(training, rate, rule=replace(fit.rule, state={}, t=0))

    if fit.rule.beta and not subject.momentum and "damped" not in fit.rule.name:
        subject.momentum = fit.rule.beta
    if fit.rate > 0 and fit.rule.family != "sgd":
        subject.followed = at_rate
        subject.optimizer = subject.optimizer or fit.rule.family
    elif fit.rate > 0:
        subject.followed = lambda training, rate: Descent(training.gradients, rate, 0.0, None)


def _told(fit: Fit) -> str:
    decay = f" with weight decay {fit.decay / fit.rate:.3g}" if fit.decay else ""
    return f"the steps are those of {fit.rule.name} at the learning rate {fit.rate:.4g}{decay}"


def _climbs(fit: Fit) -> Finding | None:
    """Return that steps add the gradient."""
    if fit.rate >= 0:
        return None
    says = (
        f"the steps are those of {fit.rule.name} with the opposite sign: they add {-fit.rate:.4g} times "
        "the gradient, and climb"
    )
    lesson = LESSONS.get("sign_error", "")
    return fault("update", "sign_error", says, fix="w = w - learning_rate * gradient", lesson=lesson)


def _rate_twice(subject: Subject, fit: Fit) -> Finding | None:
    """Return that steps are as long as the square of the learning rate, where nothing else explains that."""
    rate = float(subject.learning_rate or 0.0)
    if rate <= 0 or abs(fit.rate / rate**2 - 1) > _NEAR or abs(rate - 1) <= _NEAR:
        return None
    damped = abs(rate - (1 - fit.rule.beta)) <= _NEAR  # or else the momentum's damping, at the rate given
    if damped or factor_name(rate, {"N": float(subject.count)} if subject.count else {}):
        return None
    says = (
        f"the steps are those of {fit.rule.name} at the rate {fit.rate:.4g}, the square of the learning rate "
        f"{rate:.4g} that was given: it is multiplied by twice, once in what is kept or handed on and once more "
        "where that is subtracted"
    )
    lesson = LESSONS.get("optimizer_formula_wrong", "")
    fix = _RIGHT.get(fit.rule.family, "w = w − η·g")
    return fault("update", "optimizer_formula_wrong", says, fix=f"multiply by the rate once: {fix}", lesson=lesson)


def _scaled(subject: Subject, fit: Fit) -> Finding | None:
    """Return that steps are N times the learning rate, or a part of it."""
    rate, n = subject.learning_rate, subject.count
    if not rate or fit.rule.family not in ("sgd", "momentum", "nesterov"):
        return None
    factor = fit.rate / float(rate)
    named = factor_name(factor, {"N": float(n), "N/2": n / 2} if n and n > 2 else {})
    if not named or abs(factor - 1) <= 1e-3 or named in ("1", "2", "1/2"):
        return None
    says = (
        f"the steps are {factor:.5g} times the learning rate given ({named} with N = {n}): a mean "
        "over the samples in place of a sum, or the reverse"
    )
    return fault(
        "update",
        "batch_scale_wrong",
        says,
        fix="divide by the number of samples once, in the loss and its gradient alike",
        lesson=LESSONS["batch_scale_wrong"],
    )


def _decays(fit: Fit) -> Finding | None:
    """Return that weight decay takes a large part of every parameter away."""
    if not fit.rate or fit.decay / fit.rate <= _DECAY:
        return None
    return _too_strong(f"{_told(fit)}: each step takes {fit.decay:.3g} of every parameter away", decay=fit.decay)


def grows(fit: Fit) -> Finding | None:
    """Return that steps add to every parameter a share of it, where decay would subtract it."""
    if fit.rate <= 0 or fit.decay >= 0:
        return None
    share = fit.decay / fit.rate
    says = (
        f"the steps are those of {fit.rule.name} at the learning rate {fit.rate:.4g}, and {-share:.3g} times the "
        "rate of every parameter is added, where weight decay would subtract it: they grow by themselves"
    )
    fix = "w = w − η·(g + λ·w)"
    lesson = LESSONS.get("optimizer_formula_wrong", "")
    return fault(
        "update", "optimizer_formula_wrong", says, fix=fix, also="regulariser_gradient_wrong", lesson=lesson
    )


def given_decay(subject: Subject) -> list[Finding]:
    """Return that the optimiser was given a weight decay that may be why little is learned."""
    if subject.weight_decay <= _DECAY:
        return []
    return [_too_strong(f"the optimiser has a weight decay of {subject.weight_decay:g}")]


def _too_strong(says: str, **evidence: Any) -> Finding:
    lesson = "A decay that outweighs the gradients pulls the weights to 0, whatever the data say."
    return fault("update", "regularisation_too_strong", says, lesson=lesson, **evidence)


def _without_momentum(subject: Subject, fit: Fit) -> Finding | None:
    """Return that a momentum was given, and steps have none."""
    if not subject.momentum or fit.rule.family != "sgd" or subject.optimizer:
        return None
    says = (
        f"a momentum of {subject.momentum:g} was given, and the steps are those of plain gradient "
        "descent: nothing of a step is kept for the next"
    )
    return fault(
        "update",
        "optimizer_formula_wrong",
        says,
        fix="v = momentum * v + g; w = w - learning_rate * v, with v kept between steps",
        lesson=LESSONS.get("optimizer_formula_wrong", ""),
    )


def follows_wrong(rule: Rule) -> Evidence:
    """Return what a wrong rule does wrong, whose steps these are."""
    says = (
        f"the steps are those of {rule.name} as it {rule.wrong}"
        if not rule.wrong.startswith("uses")
        else f"every step {rule.wrong}"
    )
    label = rule.label if rule.label != "update_uses_wrong_variable" else "optimizer_formula_wrong"
    finding = fault(
        "update",
        label,
        says,
        fix=_RIGHT.get(rule.family, "w = w − η·g"),
        also=rule.label if rule.label != label else "",
        lesson=LESSONS.get(label, ""),
    )
    return Evidence("updates", (finding,))
