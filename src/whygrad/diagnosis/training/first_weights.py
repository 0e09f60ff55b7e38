"""The suspicion that a training fails for the weights that it starts from: their size, zeros, or equal units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.report import Trial, fault
from whygrad.diagnosis.training.start import Unusual, equal_units, redrawn, to_redraw, unusual_weights
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run

#: Deep networks need more steps than others before they show that they learn.
_STEPS = 150


def suspect_weights(subject: Subject) -> Iterator[Suspicion]:
    """Yield that the first weights are of an unusual size, or zeros, or equal units."""
    unusual = unusual_weights(subject)
    equal = [n for n in subject.weights[:-1] if equal_units(subject.params[n])]
    if equal:
        names, finding = _equal(subject, equal)
    elif unusual:
        names, finding = to_redraw(subject, [u.name for u in unusual]), _of_unusual_size(unusual)
    else:
        return

    def remedy() -> Trial:
        drawn = redrawn(subject, names, np.random.default_rng(subject.seed))
        what = f"{', '.join(names)} drawn with variance 2/fan_in"
        return run(subject, what, subject.stepper(), params=drawn, steps=_STEPS)

    yield Suspicion(
        finding, [Remedy(remedy, "rng.normal(size=shape) * np.sqrt(2 / fan_in): that was run and learns")]
    )


def _equal(subject: Subject, equal: list[str]) -> tuple[list[str], Finding]:
    """Return which weights are equal in all units or zeros, and the finding."""
    if any(np.any(subject.params[n]) for n in equal):
        return equal, _fault("symmetric_initialisation", f"{', '.join(equal)} start as equal units")
    zeros = [n for n in subject.weights if not np.any(subject.params[n])]
    return zeros, _fault("zero_initialisation", f"{', '.join(zeros)} start as zeros")


def _of_unusual_size(unusual: Sequence[Unusual]) -> Finding:
    large = [u for u in unusual if u.large]
    if unusual[0].together:
        grows = "grows" if large else "shrinks"
        return _fault(
            "exploding_gradient" if large else "vanishing_gradient",
            f"what passes {grows} from layer to layer, forwards and back: {unusual[0].says}",
            also="init_scale_wrong",
        )
    told = "; ".join(u.says for u in (large or unusual)[:2])
    return _fault("init_scale_wrong", f"the first weights are too {'large' if large else 'small'}: {told}")


def _fault(label: str, says: str, *, also: str = "") -> Finding:
    lesson = (
        "Each layer multiplies the variance of what passes by fan_in·Var(w), forwards and back. "
        "2/fan_in keeps it for ReLU, 1/fan_in for tanh."
    )
    return fault("first values", label, says, lesson=lesson, also=also)
