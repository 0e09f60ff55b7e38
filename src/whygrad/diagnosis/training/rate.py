"""Whether the learning rate or the momentum is at fault: against the curvature, and by trainings with others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from whygrad.diagnosis.training.curvature import Curvature, curvature, described
from whygrad.diagnosis.training.report import Evidence, Trial, fault
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion, rounded, tried
from whygrad.diagnosis.training.trials import as_given, constant_loss, fails, run

#: Steps of a trial at another rate: a lower one needs more of them.
_STEPS = 200
#: As a share of the loss: a training that moves by less in a step would take thousands of them. Where the
#: curvature says that the rate is far below what would be stable, a step may move more and still crawl.
_CRAWLS, _CRAWLS_FAR_BELOW = 3e-4, 2e-3
#: Shares of the stability limit below which a rate may be too low, and is so if it crawls.
_BELOW, _FAR_BELOW = 0.02, 0.004
#: Multiples of the stability limit from which on a rate is suspected although something is learned.
_FAR = 8.0
#: From here on momentum takes hundreds of steps to come to rest.
MUCH_MOMENTUM = 0.95
_HIGH = (
    "Along the direction of curvature λ a step of gradient descent multiplies the distance from the valley's "
    "floor by 1 − ηλ. Beyond η = 2/λ that is below −1, and every step overshoots by more than the last."
)


def examine_rate(subject: Subject) -> Evidence:
    """Say whether the learning rate or the momentum is why a training fails, by running it with others."""
    if not subject.learning_rate or subject.gradients_function is None:
        return Evidence("rate", untested=("the learning rate: it needs learning_rate and gradients",))
    given, constant = as_given(subject), constant_loss(subject)
    how = fails(given, constant)
    if how is None:
        return Evidence("rate", says=str(given))
    for suspicion in suspect_rate(subject, given, how):
        found, _ = tried(subject, suspicion, given, constant)
        if found is not None:
            return Evidence("rate", (found,))
    return Evidence("rate", says=f"no other rate helps where the training {how}")


def at_rate(subject: Subject, rate: float, momentum: float | None = None) -> Trial:
    """Return a training at another learning rate, and maybe momentum."""
    own = subject.step_function is None or subject.followed is not None or subject.reference is not None
    name = f"{'' if own else 'gradient descent, '}learning rate {rate:.3g}"
    if momentum is not None:
        name += f" and momentum {momentum:g}"
    return run(subject, name, subject.stepper(rate, momentum), steps=_STEPS)


def suspect_rate(subject: Subject, given: Trial, how: str) -> Iterator[Suspicion]:
    """Yield that momentum or learning rate is too high, or the rate too low, where there is reason to think so."""
    rate = float(subject.learning_rate or 0.0)
    if not rate or subject.gradients_function is None:
        return
    adaptive = subject.optimizer in ("adam", "adamw", "rmsprop", "adagrad", "sign")
    found = None if adaptive else measured(subject)
    if subject.momentum >= MUCH_MOMENTUM:
        yield _momentum(subject, rate, found)
    if (found is not None and found.multiple(rate) > (1 if how else _FAR)) or how in ("rises", "is not finite"):
        yield _too_high(subject, rate, found)
    if how == "stalls" and _crawls(subject, given, rate, found):
        yield _too_low(subject, rate, found, given)
    elif how == "stalls" and adaptive:
        yield _too_high(subject, rate, found)


def measured(subject: Subject) -> Curvature | None:
    """Return the curvature where it can be had."""
    try:
        return curvature(subject)
    except CallFailed:
        return None


def _crawls(subject: Subject, given: Trial, rate: float, found: Curvature | None) -> bool:
    """Whether the loss hardly moves, and by the curvature could do so far faster."""
    moves = float(np.ptp(given.losses)) / (max(given.steps, 1) * max(abs(given.first), 1e-300))
    beta = min(subject.momentum, 0.999)
    share = 0.0 if found is None else found.multiple(rate) * (1 + beta) / (1 - beta)  # as plain descent at η/(1−β)
    if found is not None and share < _FAR_BELOW:
        return given.steps > 0 and moves < _CRAWLS_FAR_BELOW
    return given.steps > 0 and moves < _CRAWLS and share < _BELOW


def _momentum(subject: Subject, rate: float, found: Curvature | None) -> Suspicion:
    beta = subject.momentum
    says = (
        f"with momentum {beta:g} a step lives on for {1 / (1 - beta):.0f} steps"
        if beta < 1
        else f"with momentum {beta:g} no step is ever forgotten"
    )
    if found is not None:
        says += f"; the rate {rate:.3g} is {found.multiple(rate):.2g} times the limit 2(1+β)/λ"
    finding = fault(
        "momentum",
        "momentum_too_high",
        says,
        lesson=(
            "The steps add up to η/(1−β) times the gradient, and swing to and fro for about 1/(1−β) steps "
            "before they rest."
        ),
    )
    return Suspicion(
        finding,
        [
            Remedy(partial(at_rate, subject, rate, b), f"lower the momentum: {b:g} was run and learns")
            for b in (0.9, 0.5)
        ],
        swings=True,
    )


def _too_high(subject: Subject, rate: float, found: Curvature | None) -> Suspicion:
    says = f"the learning rate {rate:.3g} is too high"
    lower = [rate / 3, rate / 10, rate / 30, rate / 100, rate / 1000]
    limit = None
    if found is not None and np.isfinite(found.limit) and found.multiple(rate) > 1:
        says = f"{says}: {described(found, subject)}"
        limit = found.limit
        lower = [found.limit / 2, found.limit / 5, found.limit / 20, found.limit / 100]
    tries = [rounded(r) for r in lower]
    finding = fault(
        "learning rate",
        "learning_rate_too_high",
        says,
        lesson=_HIGH,
        rate=rate,
    )
    if limit:
        finding = replace(finding, evidence={**finding.evidence, "limit": limit, "multiple": rate / limit})
    return Suspicion(
        finding,
        [Remedy(partial(at_rate, subject, r), f"lower the learning rate: {r:g} was run and learns") for r in tries],
    )


def _too_low(subject: Subject, rate: float, found: Curvature | None, given: Trial) -> Suspicion:
    share = abs(given.first - given.last) / (max(given.steps, 1) * abs(given.first))
    says = f"the learning rate {rate:.3g} is too low: a step changes the loss by {share:.1e} of it"
    tries = [rate * f for f in (30, 300, 3e3, 3e4, 3e5, 3e6)]
    if found is not None and np.isfinite(found.limit):
        says += (
            f"; gradient descent would be stable up to {found.limit:.3g}, {found.limit / rate:.2g} times as much"
        )
        tries = sorted({rounded(found.limit / f) for f in (2, 6, 20, 100)}, reverse=True)
        tries = [r for r in tries if r > 3 * rate]
    finding = fault(
        "learning rate",
        "learning_rate_too_low",
        says,
        lesson="As long as the loss falls smoothly, a higher rate reaches the same in fewer steps.",
        rate=rate,
    )
    return Suspicion(
        finding,
        [
            Remedy(partial(at_rate, subject, r), f"raise the learning rate: {r:g} was run and learns")
            for r in map(rounded, tries)
        ],
    )
