"""What a step does with the gradients: whose formula it follows, and whether it reaches every parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.absent import is_bias
from whygrad.diagnosis.training.along import along_gradients
from whygrad.diagnosis.training.clipped import cut_one_by_one, cut_to_one_length
from whygrad.diagnosis.training.fitting import TOLERANCE, Fit, betas_of, fitted
from whygrad.diagnosis.training.recording import Recorded, recorded
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.rounding import rounded_away
from whygrad.diagnosis.training.rule_followed import follows, follows_wrong
from whygrad.diagnosis.training.rules import adam_from, right_rules, wrong_rules
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.truncated import integral, truncated


def examine_updates(subject: Subject) -> Evidence:
    """Say which optimiser's formula the person's steps follow, or what is wrong with them.

    The gradients are taken for right.
    """
    if subject.step_function is None:
        return _without_step(subject)
    if subject.gradients_function is None:
        return Evidence("updates", untested=("the formula of the update: it needs gradients(params, batch)",))
    try:
        steps = recorded(subject.exact() if integral(subject) is None else subject)
    except CallFailed as failed:
        return Evidence("updates", untested=(f"the formula of the update: {failed}",))
    if len(steps) < 2:
        return Evidence("updates", untested=("the formula of the update: two steps could not be made",))
    found = truncated(subject, steps) or _not_reached(subject, steps)
    if found is not None:
        return Evidence("updates", (found,))
    return _by_formula(subject, steps)


def _without_step(subject: Subject) -> Evidence:
    """Return what there is to say of gradient descent that nobody wrote."""
    if subject.learning_rate == 0:
        return Evidence("updates", (_rate_of_zero(subject),))
    return Evidence(
        "updates", untested=() if subject.gradients_function is not None else ("the update: no step was given",)
    )


def _not_reached(subject: Subject, steps: Sequence[Recorded]) -> Finding | None:
    """Return which parameters no step changes."""
    still = [
        n
        for n in steps[0].gradients
        if not any(np.any(r.taken[n]) for r in steps) and any(np.any(r.gradients[n]) for r in steps)
    ]
    if not still:
        return None
    rounded = rounded_away(subject, steps, still)
    if rounded is not None:
        return rounded
    if len(still) == len(steps[0].gradients) and subject.learning_rate == 0:
        return _rate_of_zero(subject)
    size = max(float(np.abs(r.gradients[still[0]]).max()) for r in steps)
    which = "any parameter" if len(still) == len(steps[0].gradients) else ", ".join(still)
    says = f"no step changes {which}, though the gradients there are up to {size:.3g}"
    label = (
        "missing_bias_gradient"
        if all(is_bias(subject, n) for n in still) and len(still) < len(steps[0].gradients)
        else "layer_not_trained"
    )
    return fault(
        f"update of {', '.join(still)}",
        label,
        says,
        fix=f"subtract the learning rate times the gradient of {which}, in place or in what step returns",
        also="layer_not_trained" if label != "layer_not_trained" else "",
        lesson=(
            "A parameter that no update reaches stays as it was drawn. The others learn around it, so that "
            "the loss falls and nothing is noticed."
        ),
    )


def _rate_of_zero(subject: Subject) -> Finding:
    """Return that the learning rate is 0, as a whole number of less than 1 is."""
    whole = isinstance(subject.learning_rate, int | np.integer)
    return fault(
        "learning rate",
        "integer_truncation" if whole else "learning_rate_too_low",
        f"the learning rate is {subject.learning_rate}: no step changes any parameter",
        fix="keep the learning rate a float: int(0.01) is 0"
        if whole
        else "pass a learning rate above 0, such as 0.01",
        also=("learning_rate_too_low", "layer_not_trained") if whole else "layer_not_trained",
        lesson=LESSONS.get("integer_truncation", "") if whole else "",
    )


def _by_formula(subject: Subject, steps: Sequence[Recorded]) -> Evidence:
    betas = betas_of(subject, steps)
    best: Fit | None = None
    for rule in right_rules(betas):
        fit = fitted(rule, steps)
        if best is None or fit.misfit < 0.5 * best.misfit:
            best = fit
        if fit.misfit < TOLERANCE:
            return follows(subject, fit)
    for rule in wrong_rules(betas):
        fit = fitted(rule, steps)
        if fit.misfit < TOLERANCE:
            return follows_wrong(rule)
    if _counts_parameters(steps):
        says = "counts t once for every parameter and not once a step"
        return follows_wrong(replace(adam_from(1, 1), wrong=says))
    cut = cut_to_one_length(steps, betas) or cut_one_by_one(steps, betas, float(subject.learning_rate or 0.0))
    if cut is not None:
        return cut
    assert best is not None
    return along_gradients(subject, steps) or _unknown(subject, best)


def _counts_parameters(steps: Sequence[Recorded]) -> bool:
    """Return whether the steps are Adam's with a t that grows with every parameter, whatever their order."""
    names = list(steps[0].gradients)
    places = []
    for name in names:
        alone = [r._replace(gradients={name: r.gradients[name]}, taken={name: r.taken[name]}) for r in steps]
        fits = [
            j
            for j in range(1, len(names) + 1)
            if fitted(adam_from(j, len(names)), alone, decays=False).misfit < TOLERANCE
        ]
        if not fits:
            return False
        places.append(fits[0])
    return len(names) > 1 and sorted(places) == list(range(1, len(names) + 1))


def _unknown(subject: Subject, best: Fit) -> Evidence:
    nearest = f"{best.rule.name} comes nearest and misses by {best.misfit:.1%}"
    if not subject.optimizer:
        reason = f"the formula of the update: it is none that is known here ({nearest})"
        return Evidence("updates", untested=(reason,))
    finding = fault(
        "update",
        "optimizer_formula_wrong",
        f"the steps do not follow {subject.optimizer}'s formula, nor any other that is known; {nearest}",
        fix="compare a step by hand with the formula",
        lesson=LESSONS.get("optimizer_formula_wrong", ""),
    )
    return Evidence("updates", (finding,))
