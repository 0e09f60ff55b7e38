"""How gradients pass through the layers: whether they vanish or explode on the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.descent import Stepper
from whygrad.diagnosis.training.report import Evidence, Trial, fault
from whygrad.diagnosis.training.saturation import suspect_saturated
from whygrad.diagnosis.training.start import unusual_weights
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run
from whygrad.diagnosis.training.units import dead_units
from whygrad.typing import Array

#: How much smaller gradients are at the first layer than at the last, each relative to its weights.
_VANISHED, _EXPLODED = 1e-3, 30.0
#: From so many layers on a gradient that is smaller by less counts too, if a training without that learns.
_DEEP, _VANISHED_DEEP = 5, 5e-3
#: How far a layer moves in one step of the experiment that gives all layers steps of one relative length.
_SHARE = 0.02


def examine_flow(subject: Subject) -> Evidence:
    """Say how large gradients are by layer, and how many units no sample activates or all samples saturate."""
    if subject.gradients_function is None:
        return Evidence("flow", untested=("the flow of gradients: no gradients were given",))
    try:
        ratios, dead = relative_gradients(subject), dead_units(subject)
    except CallFailed as failed:
        return Evidence("flow", untested=(f"the flow of gradients: {failed}",))
    told = ", ".join(f"{n} {r:.1e}" for n, r in ratios.items())
    worst = max(dead.values(), default=0.0)
    says = (
        f"gradients relative to weights: {told}; at most {worst:.0%} of a layer's units get no gradient from "
        "any sample"
    )
    untested = (
        ()
        if subject.inside is not None
        else ("activations: they cannot be seen from outside; gradients stand for them",)
    )
    return Evidence("flow", (), says, untested)


def relative_gradients(subject: Subject, params: Mapping[str, Array] | None = None) -> dict[str, float]:
    """Return the length of each weight's gradient relative to the weight, first layer first."""
    at = subject.params if params is None else params
    gradients = subject.gradients(at)
    found = {}
    for n in subject.weights:
        if n in gradients:
            size = float(np.linalg.norm(np.asarray(at[n], np.float64)))
            found[n] = float(np.linalg.norm(gradients[n])) / size if size else 0.0
    return found


def suspect_flow(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that units are saturated, or gradients vanish or explode, where there is reason to think so."""
    if subject.gradients_function is None:
        return
    try:
        ratios = relative_gradients(subject)
        yield from suspect_saturated(subject)
        yield from _by_depth(subject, ratios, given)
    except CallFailed:
        return


def _by_depth(subject: Subject, ratios: Mapping[str, float], given: Trial) -> Iterator[Suspicion]:
    """Yield that gradients vanish or explode, where the first layer's is far from those of the others."""
    values = list(ratios.values())
    if len(values) < 3 or not all(np.isfinite(values)):
        return
    deep, left = len(values) >= _DEEP, values[0] / max(*values[1:], 1e-300)
    if 0 < left < (_VANISHED_DEEP if deep else _VANISHED):
        yield Suspicion(_vanishing(ratios), _against_vanishing(subject), strong=deep and left < _VANISHED)
    sizes = [float(np.linalg.norm(g)) for n, g in subject.gradients().items() if n in subject.weights]
    large = values[0] > _EXPLODED * max(values[-1], 1e-300) or sizes[0] > 1e3
    if large and not given.finite and not unusual_weights(subject):
        remedy = Remedy(
            lambda: run(subject, "steps of 2 % of its weights in every layer", layerwise(subject)),
            "smaller weights, normalisation, or gradients cut to a norm; steps of one relative length "
            "in every layer were run and learn",
        )
        yield Suspicion(_exploding(ratios), [remedy])


def _vanishing(ratios: Mapping[str, float]) -> Finding:
    values = list(ratios.values())
    says = (
        f"the gradient of {next(iter(ratios))} is {values[0]:.1e} of its weights, and that of later layers "
        f"up to {max(values[1:]):.1e}: it vanishes on the way back through {len(values)} layers"
    )
    lesson = (
        "Each layer multiplies what comes back by its weights and its slopes. Below 1 the product "
        "shrinks with every layer: a sigmoid's slope is at most a quarter."
    )
    return fault("flow", "vanishing_gradient", says, lesson=lesson, ratios=dict(ratios))


def _exploding(ratios: Mapping[str, float]) -> Finding:
    values = list(ratios.values())
    says = (
        f"the gradient of {next(iter(ratios))} is {values[0]:.1e} of its weights, and that of the last layer "
        f"{values[-1]:.1e}: it grows on the way back through {len(values)} layers"
    )
    lesson = "Each layer multiplies what comes back by its weights. Above 1 the product grows with every layer."
    return fault("flow", "exploding_gradient", says, lesson=lesson, ratios=dict(ratios))


def _against_vanishing(subject: Subject) -> list[Remedy]:
    """Return trainings whose first layers move as much as the last ones."""
    larger = {n: a * a.dtype.type(4) if n in subject.weights else a for n, a in subject.params.items()}
    return [
        Remedy(
            lambda: run(subject, "weights four times as large", subject.stepper(), params=larger, steps=150),
            "begin with larger weights, four times as large for sigmoids: that was run and learns; or use "
            "ReLU, normalisation, shortcuts",
        ),
        Remedy(
            lambda: run(subject, "steps of 2 % of its weights in every layer", layerwise(subject), steps=150),
            "use ReLU with weights of variance 2/fan_in, normalisation or shortcuts; steps of one relative "
            "length in every layer were run and learn",
        ),
    ]


def layerwise(subject: Subject) -> Stepper:
    """Return an update that moves every weight by the same share of itself, whatever the size of its gradient."""

    def step(params: dict[str, Array], batch: object) -> dict[str, Array]:
        new = dict(params)
        for name, g in subject.gradients(params, batch).items():
            length, size = float(np.linalg.norm(g)), float(np.linalg.norm(params[name])) or 0.1
            if length and name in subject.names:
                new[name] = (params[name] - _SHARE * size * g / length).astype(params[name].dtype)
        return new

    return step
