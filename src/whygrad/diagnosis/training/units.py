"""Units that pass no gradient on: dead ones, which no sample activates, and saturated ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from whygrad.diagnosis.training.report import Trial, fault
from whygrad.diagnosis.training.start import fans, redrawn
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run
from whygrad.typing import Array, BoolArray

#: Share of a layer's units from which on they may be why nothing is learned.
_DEAD = 0.75


def dead_units(subject: Subject, params: Mapping[str, Array] | None = None) -> dict[str, float]:
    """Return of each layer the share of units that get no gradient at all from the batch."""
    return {n: float(np.mean(still & silent)) for n, (still, silent) in _units(subject, params).items()}


def flat_units(subject: Subject, params: Mapping[str, Array] | None = None) -> dict[str, float]:
    """Return of each layer the share of units that get no gradient and yet speak to the next: saturated ones."""
    return {n: float(np.mean(still & ~silent)) for n, (still, silent) in _units(subject, params).items()}


def _units(subject: Subject, params: Mapping[str, Array] | None) -> dict[str, tuple[BoolArray, BoolArray]]:
    """Return of each layer's units which get no gradient, and which give the next layer's weights none."""
    gradients = subject.gradients(subject.params if params is None else params)
    found: dict[str, tuple[BoolArray, BoolArray]] = {}
    sizes = list(fans(subject).items())
    for k, (n, (_, units, axis)) in enumerate(sizes):
        g = gradients.get(n)
        if g is None or g.shape != subject.params[n].shape or units < 2:
            continue
        still = np.asarray(~np.moveaxis(g, axis, 0).reshape(units, -1).any(axis=1))
        silent: BoolArray = np.ones(units, bool)
        if k + 1 < len(sizes):
            after, (into, _, next_axis) = sizes[k + 1]
            h = gradients.get(after)
            if h is not None and h.shape == subject.params[after].shape and h.any() and into % units == 0:
                inwards = np.moveaxis(h, next_axis, 0).reshape(h.shape[next_axis], into)
                per_unit = inwards.any(axis=0).reshape(units, -1)
                silent = np.asarray(~per_unit.any(axis=1))
        found[n] = (still, silent)
    return found


def suspect_dead(subject: Subject) -> Iterator[Suspicion]:
    """Yield that units are dead, where most of a layer's are."""
    if subject.gradients_function is None:
        return
    try:
        dead = dead_units(subject)
    except CallFailed:
        return
    hidden = {n: share for n, share in dead.items() if share >= _DEAD and n != subject.weights[-1]}
    if not hidden:
        return
    name, share = max(hidden.items(), key=lambda item: item[1])
    says = f"{share:.0%} of the units of {name} get no gradient from any sample of the batch: they are dead"
    finding = fault(
        f"units of {name}",
        "dead_units",
        says,
        lesson="A ReLU that is below 0 for all samples passes no gradient on, so that nothing can bring it back.",
        share=share,
    )

    def remedy() -> Trial:
        drawn = redrawn(subject, list(hidden), np.random.default_rng(1))
        names = list(subject.params)
        for n in hidden:  # the bias that follows a weight
            after = names[names.index(n) + 1 :][:1]
            drawn |= {b: np.zeros_like(subject.params[b]) for b in _biases(subject, n, after)}
        return run(subject, f"{', '.join(hidden)} drawn anew, with biases 0", subject.stepper(), params=drawn)

    yield Suspicion(
        finding,
        [
            Remedy(
                remedy,
                f"draw {', '.join(hidden)} anew with variance 2/fan_in, and begin with biases of 0: that was "
                "run and learns",
            )
        ],
    )


def _biases(subject: Subject, weight: str, after: list[str]) -> list[str]:
    units = fans(subject)[weight][1]
    stem = weight.rpartition(".")[0]
    own = [n for n in subject.names if stem and n.rpartition(".")[0] == stem and n != weight]
    digits = "".join(c for c in weight if c.isdigit())
    alike = [
        n
        for n in subject.names
        if n not in subject.weights and digits and "".join(c for c in n if c.isdigit()) == digits
    ]
    return [n for n in (own or alike or after) if n not in subject.weights and subject.params[n].size == units]
