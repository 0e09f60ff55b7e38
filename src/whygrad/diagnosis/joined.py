"""Layers that have their activation inside: y = f(z), with z what the operation gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whygrad.diagnosis.catalogue import Build, Joints, Mistake, Subject, mistake
from whygrad.diagnosis.mistakes import changes
from whygrad.diagnosis.mistakes.activations import sigma
from whygrad.diagnosis.outcomes import Outcome
from whygrad.diagnosis.probes import Probe
from whygrad.typing import Array

Function = Callable[[Array], Array]
#: name, f, f′
INSIDE: tuple[tuple[str, Function, Function], ...] = (
    ("relu", lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    ("sigmoid", sigma, lambda z: sigma(z) * (1 - sigma(z))),
    ("tanh", np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    ("leaky_relu", lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    ("softplus", lambda z: np.logaddexp(0, z), sigma),
)
#: How many values there have to be that show the activation.
ENOUGH = 8


def activation_inside(subject: Subject, outcomes: Sequence[Outcome]) -> Subject | None:
    """Return the operation with the activation that a person's forward applies to it; None where it applies none.

    Example:
        >>> from whygrad.diagnosis.adapting import Result
        >>> from whygrad.diagnosis.registry import subject
        >>> linear = subject("linear")
        >>> probes = linear.probes(linear, np.random.default_rng(0), {})
        >>> activation_inside(linear, [Outcome(p, Result(y=np.tanh(p.y))) for p in probes]).name
        'linear with tanh'
    """
    values = [(o.probe, o.result.y) for o in outcomes if o.result.y is not None]
    if (
        "w" not in subject.inputs
        or sum(y.size for _, y in values) < ENOUGH
        or all(_same(y, p.y) for p, y in values)
    ):
        return None
    for name, f, slope in INSIDE:
        if all(_same(y, f(p.y)) for p, y in values):
            return joined(subject, name, f, slope)
    return None


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-9))


def joined(subject: Subject, name: str, f: Function, slope: Function) -> Subject:
    """Return an operation followed by an activation, with the mistakes of both."""

    def before(p: Probe) -> Probe:
        """The call as the operation alone sees it: dy is what comes from above times f′(z)."""
        inner = replace(p, subject=subject)
        return inner.changed(p.dy * slope(subject.value(inner, {}))) if p.dy.size else inner

    def build(inner: Build) -> Build:
        return lambda p, joints: inner(before(p), joints)

    def value(p: Probe, joints: Joints) -> Array:
        return f(subject.value(replace(p, subject=subject), joints))

    def probes(_: Subject, rng: np.random.Generator, given: Mapping[str, Any]) -> list[Probe]:
        return [over(p, both) for p in subject.probes(subject, rng, given)]

    def within(m: Mistake) -> Mistake:
        if m.joint != "whole" or "y" in m.outputs:
            return m
        return replace(m, value=lambda p: m.value(before(p)))

    kept = [within(m) for m in subject.mistakes if "besides, the derivative" not in m.does]
    builds = {output: build(inner) for output, inner in subject.build.items()}
    both = replace(
        subject,
        name=f"{subject.name} with {name}",
        build=builds,
        value=value,
        probes=probes,
        mistakes=(*_about(subject, name, f, slope), *kept),
        contributions={},
        terms={},
    )
    return both


def over(p: Probe, both: Subject) -> Probe:
    """Return a probe of the operation as one of the joined layer."""
    return Probe(p.name, p.inputs, p.dy, both, p.options, p.tags)


def _about(subject: Subject, name: str, f: Function, slope: Function) -> list[Mistake]:
    """Return what goes wrong with the activation within."""
    outputs = " ".join(subject.build)

    def with_delta(label: str, g: Callable[[Probe, Array], Array], does: str, also: str = "") -> list[Mistake]:
        found = []
        for output in subject.build:

            def wrong(p: Probe, output: str = output) -> Array:
                inner = replace(p, subject=subject)
                return subject.build[output](inner.changed(g(p, subject.value(inner, {}))), {})

            found.append(mistake(label, output, "whole", wrong, does, f"delta = dy * {name}′(z)", also=also))
        return found

    return [
        *with_delta("missing_activation_derivative", lambda p, _: p.dy, f"lacks the derivative of {name}"),
        *with_delta("activation_derivative_of_wrong_tensor", lambda p, z: p.dy * slope(f(z)),
                    f"takes {name}′ at the output a, not at z"),
        *with_delta("activation_derivative_of_wrong_tensor", lambda p, _: p.dy * slope(p.dy),
                    f"takes {name}′ at dy, not at z", "relu_mask_wrong_tensor"),
        *with_delta("activation_derivative_of_wrong_tensor", lambda p, z: p.dy * f(z),
                    f"multiplies by {name} itself, not by its derivative", "activation_derivative_formula_wrong"),
        *with_delta("activation_derivative_formula_wrong", lambda p, z: p.dy * z * (1 - z),
                    "has z(1 − z) for the derivative", "activation_derivative_of_wrong_tensor"),
        mistake("upstream_gradient_not_multiplied", outputs, "dy", changes.ones, "lacks dy", "delta = dy * f′(z)",
                rank=1),
    ]  # fmt: skip
