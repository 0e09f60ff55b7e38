"""How signals and gradients pass through the layers: dead and saturated units, gradients that vanish or explode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from whygrad.diagnosis.training.descent import Stepper
from whygrad.diagnosis.training.report import Evidence, Trial, fault
from whygrad.diagnosis.training.start import fans, redrawn, unusual_weights
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run
from whygrad.typing import Array, BoolArray

#: Shares of a layer's units from which on they may be why nothing is learned.
_DEAD, _SATURATED = 0.75, 0.75
#: How much smaller gradients are at the first layer than at the last, each relative to its weights.
_VANISHED, _EXPLODED = 1e-3, 30.0
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


def suspect_flow(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that units are saturated, or gradients vanish or explode, where there is reason to think so."""
    if subject.gradients_function is None:
        return
    try:
        ratios = relative_gradients(subject)
        yield from _saturated(subject)
        yield from _by_depth(subject, ratios, given)
    except CallFailed:
        return


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


def _saturated(subject: Subject) -> Iterator[Suspicion]:
    """Yield that units saturate: with smaller parameters the gradients of the first layers are far larger."""
    if len(subject.weights) < 2:
        return
    shares = _seen_saturated(subject)
    first = subject.weights[0]
    before = float(np.linalg.norm(subject.gradients()[first])) if first in subject.gradients() else 0.0
    small = {
        n: (a * a.dtype.type(0.1) if a.dtype.kind == "f" and n in subject.names and _large(subject, n) else a)
        for n, a in subject.params.items()
    }
    after = float(np.linalg.norm(subject.gradients(small).get(first, np.zeros(1))))
    if shares is None and not (
        after > 30 * before > 0
        or (before == 0 and after > 0 and not _has_exact_zeros(subject))
        or max(flat_units(subject).values(), default=0.0) > _SATURATED
    ):
        return
    if shares is not None and max(shares.values(), default=0.0) < _SATURATED:
        return
    flat = flat_units(subject)
    if shares is None and max(flat.values(), default=0.0) > _SATURATED:
        name, share = max(flat.items(), key=lambda item: item[1])
        says = (
            f"{share:.0%} of the units of {name} get no gradient from any sample, and are not 0: they are saturated"
        )
    elif shares:
        name, share = max(shares.items(), key=lambda item: item[1])
        says = f"{share:.0%} of the outputs of {name} are within 1 % of its bounds"
    else:
        says = (
            f"with parameters a tenth as large the gradient of {first} is {after / max(before, 1e-300):.2g} "
            "times as large: its units are saturated"
        )
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
    yield Suspicion(
        finding,
        [
            Remedy(
                partial(_run_from, subject, what, params),
                f"{fix}: that was run and learns",
            )
            for what, params, fix in tries
        ],
    )


def _run_from(subject: Subject, what: str, params: Mapping[str, Array]) -> Trial:
    return run(subject, what, subject.stepper(), params=params)


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


def _by_depth(subject: Subject, ratios: Mapping[str, float], given: Trial) -> Iterator[Suspicion]:
    values = list(ratios.values())
    if len(values) < 3 or not all(np.isfinite(values)):
        return
    first, last = values[0], max(values[1:])
    if 0 < first < _VANISHED * last:
        says = (
            f"the gradient of {next(iter(ratios))} is {first:.1e} of its weights, and that of later layers "
            f"up to {last:.1e}: it vanishes on the way back through {len(values)} layers"
        )
        finding = fault(
            "flow",
            "vanishing_gradient",
            says,
            lesson=(
                "Each layer multiplies what comes back by its weights and its slopes. Below 1 the product "
                "shrinks with every layer: a sigmoid's slope is at most a quarter."
            ),
            ratios=dict(ratios),
        )
        yield Suspicion(finding, _against_vanishing(subject), strong=len(values) >= 5)
    sizes = [float(np.linalg.norm(g)) for n, g in subject.gradients().items() if n in subject.weights]
    if (
        (first > _EXPLODED * max(values[-1], 1e-300) or sizes[0] > 1e3)
        and not given.finite
        and not unusual_weights(subject)
    ):
        says = (
            f"the gradient of {next(iter(ratios))} is {first:.1e} of its weights, and that of the last layer "
            f"{values[-1]:.1e}: it grows on the way back through {len(values)} layers"
        )
        finding = fault(
            "flow",
            "exploding_gradient",
            says,
            lesson=(
                "Each layer multiplies what comes back by its weights. Above 1 the product grows with every layer."
            ),
            ratios=dict(ratios),
        )
        yield Suspicion(
            finding,
            [
                Remedy(
                    lambda: run(subject, "steps of 2 % of its weights in every layer", layerwise(subject)),
                    "smaller weights, normalisation, or gradients cut to a norm; steps of one relative length "
                    "in every layer were run and learn",
                )
            ],
        )


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
