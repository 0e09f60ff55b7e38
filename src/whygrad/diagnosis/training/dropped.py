"""The suspicion that too much falls out at random for anything to be learned."""

from __future__ import annotations

from collections.abc import Iterator

from whygrad.diagnosis.training.modes import seen_modes
from whygrad.diagnosis.training.report import Trial, fault
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run

#: The share of a layer's outputs that falls out, from which on it may be why little is learned.
_MUCH = 0.75


def suspect_dropped(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that layers let too little through in training, where a model can be looked into.

    Both trainings, as given and without what falls out, are followed by the loss without it.
    """
    if subject.inside is None or not subject.learning_rate:
        return
    much = [m for m in seen_modes(subject)[0] if m.dropped >= _MUCH]
    if not much:
        return
    loss, gradients = subject.inside.without_chance({m.name for m in much})
    whole = subject.but(loss_function=loss, gradients_function=gradients)
    rate = float(subject.learning_rate)

    def as_it_is() -> Trial:
        what = "as given, the loss with nothing fallen out"
        return run(subject, what, subject.stepper(), steps=given.steps, value=whole.loss)

    def remedy() -> Trial:
        return run(whole, "with nothing fallen out", whole.stepper(rate))

    told = " and ".join(f"{m.dropped:.0%} of {m.name} ({m.kind})" for m in much)
    finding = fault(
        "regulariser",
        "regularisation_too_strong",
        f"in training {told} falls out at random",
        also="cannot_overfit",
        lesson="What is left says little of the sample: the gradient is mostly that of the chance.",
    )
    fix = "let less fall out, half of a layer at most: with nothing fallen out it was run, and learns"
    yield Suspicion(finding, [Remedy(remedy, fix)], reference=as_it_is)
