"""The suspicion that units saturate: where they are flat, no gradient passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from whygrad.diagnosis.training.report import Trial, fault
from whygrad.diagnosis.training.start import unusual_weights
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run
from whygrad.diagnosis.training.units import dead_units, flat_units
from whygrad.typing import Array

#: Share of a layer's units from which on they may be why nothing is learned.
_SATURATED = 0.75
#: Sigmoids learn slowly also where they do: so many steps are made, with and without what saturates them.
_STEPS, _SECONDS = 300, 2.0


def suspect_saturated(subject: Subject) -> Iterator[Suspicion]:
    """Yield that units saturate: with smaller parameters the gradients of the first layers are far larger."""
    if len(subject.weights) < 2:
        return
    small = {
        n: (a * a.dtype.type(0.1) if a.dtype.kind == "f" and n in subject.names and _large(subject, n) else a)
        for n, a in subject.params.items()
    }
    shares = _seen_saturated(subject)
    says = _from_outside(subject, small) if shares is None else _from_inside(shares)
    if says is None:
        return
    finding = fault(
        "units",
        "saturated_units",
        says,
        also="init_scale_wrong" if unusual_weights(subject) else "vanishing_gradient",
        lesson=(
            "Far from 0 sigmoid and tanh are flat. What passes back through them is multiplied by a slope near 0."
        ),
    )
    level = {
        n: np.zeros_like(a) if n in subject.names and n not in subject.weights and _large(subject, n) else a
        for n, a in subject.params.items()
    }
    tries = [
        ("large biases set to 0", level, "begin with biases of 0"),
        ("weights and biases a tenth as large", small, "begin with smaller weights and biases"),
    ]
    remedies = [
        Remedy(partial(_run_from, subject, what, params), f"{fix}: that was run and learns")
        for what, params, fix in tries
    ]
    yield Suspicion(finding, remedies, reference=partial(_run_from, subject, "as given", subject.params))


def _from_inside(shares: Mapping[str, float]) -> str | None:
    """Say how many outputs of a layer are saturated, where activations can be seen; None where few are."""
    name, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
    return f"{share:.0%} of the outputs of {name} are within 1 % of its bounds" if share >= _SATURATED else None


def _from_outside(subject: Subject, small: Mapping[str, Array]) -> str | None:
    """Say why units seem to be saturated, from gradients here and at smaller parameters; None where they do not."""
    first = subject.weights[0]
    before = float(np.linalg.norm(subject.gradients().get(first, np.zeros(1))))
    after = float(np.linalg.norm(subject.gradients(small).get(first, np.zeros(1))))
    name, share = max(flat_units(subject).items(), key=lambda item: item[1], default=("", 0.0))
    if share > _SATURATED:
        return (
            f"{share:.0%} of the units of {name} get no gradient from any sample, and are not 0: they are saturated"
        )
    grows = after > 30 * before > 0 or (before == 0 and after > 0 and not _has_exact_zeros(subject))
    if not grows:
        return None
    return (
        f"with parameters a tenth as large the gradient of {first} is {after / max(before, 1e-300):.2g} "
        "times as large: its units are saturated"
    )


def _run_from(subject: Subject, what: str, params: Mapping[str, Array]) -> Trial:
    return run(subject, what, subject.stepper(), params=params, steps=_STEPS, seconds=_SECONDS)


def _large(subject: Subject, name: str) -> bool:
    return name in subject.weights or float(np.abs(subject.params[name]).max(initial=0)) > 2


def _has_exact_zeros(subject: Subject) -> bool:
    return any(share > 0.3 for share in dead_units(subject).values())


def _seen_saturated(subject: Subject) -> dict[str, float] | None:
    """Return the share of saturated outputs of each bounded layer, where activations can be seen."""
    if subject.inside is None:
        return None
    found = {}
    for name, (kind, y) in subject.inside.activations(subject.params, subject.batch).items():
        if kind == "Tanh":
            found[name] = float(np.mean(np.abs(y) > 0.98))
        elif kind == "Sigmoid":
            found[name] = float(np.mean((y < 0.01) | (y > 0.99)))
    return found
