"""Steps along gradients that were cut: to a length, or entry by entry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whygrad.diagnosis.training.fitting import TOLERANCE, fitted
from whygrad.diagnosis.training.recording import Recorded, flat
from whygrad.diagnosis.training.report import Evidence, fault
from whygrad.diagnosis.training.rules import right_rules

#: Share of a gradient's entries that clipping cuts, from which on it may be why little is learned.
_MOSTLY = 0.5


def cut_to_one_length(steps: Sequence[Recorded], betas: tuple[float, ...]) -> Evidence | None:
    """Return that the steps are a rule's with gradients that were all cut to one length."""
    lengths = [float(np.linalg.norm(flat(r.gradients))) for r in steps]
    if not all(lengths):
        return None
    unit = [
        r._replace(gradients={n: g / length for n, g in r.gradients.items()})
        for r, length in zip(steps, lengths, strict=True)
    ]
    for rule in right_rules(betas):
        if rule.family in ("momentum", "nesterov"):
            fit = fitted(rule, unit, decays=False)
            if fit.misfit < TOLERANCE and fit.rate > 0:
                says = (
                    f"the steps are those of {rule.name} with gradients cut to one length in every step: "
                    f"they were {min(lengths):.3g} to {max(lengths):.3g} long"
                )
                return Evidence("updates", (fault("update", "clipping_always", says),))
    return None


def clipped(steps: Sequence[Recorded], factors: Sequence[float], rate: float) -> Evidence | None:
    """Judge steps along the gradients by one factor in all parameters, but another in each step."""
    lengths = [rate * f * float(np.linalg.norm(flat(r.gradients))) for f, r in zip(factors, steps, strict=True)]
    varied = float(np.ptp(factors)) > 1e-3 * max(factors)
    if (
        varied
        and min(factors) > 0
        and max(factors) < 0.999
        and np.ptp(lengths) <= 0.5 * np.ptp(factors) / max(factors) * max(lengths)
    ):
        says = (
            f"every step is about {lengths[0] / rate:.4g} times the learning rate long: gradients are "
            f"clipped, to {min(factors):.2g} to {max(factors):.2g} of their length"
        )
        return Evidence("updates", (fault("update", "clipping_always", says, share=max(factors)),))
    return Evidence(
        "updates",
        says=(
            f"the steps are along the gradients, {min(factors):.3g} to {max(factors):.3g} times the "
            "learning rate given"
        ),
    )


def cut_one_by_one(steps: Sequence[Recorded], betas: Sequence[float], rate: float) -> Evidence | None:
    """Return that momentum gathers gradients of which entries were cut, or that each gradient was cut by itself.

    What momentum adds is taken off first: v ← β·v + g makes steps d of which d − β·d before is η·g.
    """
    for beta in (0.0, *betas):
        bare = _without_momentum(steps, beta)
        for unit in dict.fromkeys((rate, rate * (1 - beta))):
            found = (clipped_by_value(bare, unit) if beta else None) or _each_cut(bare, unit)
            if found is not None and found.findings:
                return found
    return None


def _without_momentum(steps: Sequence[Recorded], beta: float) -> list[Recorded]:
    before = [{n: np.zeros_like(d) for n, d in steps[0].taken.items()}, *(r.taken for r in steps[:-1])]
    return [
        r._replace(taken={n: d - beta * old[n] for n, d in r.taken.items()})
        for r, old in zip(steps, before, strict=True)
    ]


def _each_cut(steps: Sequence[Recorded], rate: float) -> Evidence | None:
    """Return that each parameter's gradient is cut to a length, the same for all, where the steps do so."""
    lengths, cut = [], []
    for r in steps:
        for n, g in r.gradients.items():
            square = float((g**2).sum())
            if not square or not rate:
                continue
            factor = float((r.taken[n] * g).sum()) / (rate * square)
            missed = float(np.linalg.norm(r.taken[n] - rate * factor * g))
            if not 0 < factor < 1.001 or missed > 1e-4 * float(np.linalg.norm(r.taken[n])):
                return None
            cut.append(factor < 0.999)
            lengths.append(factor * float(np.sqrt(square)))
    most = max(lengths, default=0.0)
    if not cut or any(c and length < 0.999 * most for c, length in zip(cut, lengths, strict=True)):
        return None
    share = float(np.mean(cut))
    says = f"the gradient of each parameter is cut to a length of {most:.3g}: {share:.0%} of them"
    if share <= _MOSTLY:
        return Evidence("updates", says=says)
    return Evidence("updates", (fault("update", "clipping_always", says, share=share),))


def clipped_by_value(steps: Sequence[Recorded], rate: float) -> Evidence | None:
    """Return that entries are cut at one limit, where that is what the steps do."""
    if not rate:
        return None
    limit = max(float(np.abs(flat(r.taken)).max(initial=0)) for r in steps) / rate
    for r in steps:
        told = rate * np.clip(flat(r.gradients), -limit, limit)
        if np.abs(told - flat(r.taken)).max() > 1e-4 * rate * limit:
            return None
    share = float(np.mean([np.mean(np.abs(flat(r.gradients)[flat(r.gradients) != 0]) > limit) for r in steps]))
    says = f"the steps are gradient descent with entries cut at {limit:.4g}: {share:.0%} of them"
    if share > _MOSTLY:
        return Evidence("updates", (fault("update", "clipping_always", says, share=share),))
    return Evidence("updates", says=says) if share else None
