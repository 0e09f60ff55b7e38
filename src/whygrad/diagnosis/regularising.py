"""A gradient that differs by that of a regulariser."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from whygrad.diagnosis.hypotheses import Sample, right_of
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding, Judgement
from whygrad.typing import Array

#: Numbers that there have to be for a factor of a parameter to be read off.
FEW = 4


def regulariser(output: str, known: Sequence[Sample]) -> Finding | None:
    """Return the finding if all that differs is a multiple of a parameter or of its signs, as of a regulariser."""
    name = output.removeprefix("d")
    shapes: tuple[tuple[str, Callable[[Array], Array], Callable[[float], str]], ...] = (
        (name, lambda a: a, lambda c: f"{c / 2:.4g}·Σ{name}²"),
        (f"the signs of {name}", np.sign, lambda c: f"{c:.4g}·Σ|{name}|"),
    )
    for what, added, term in shapes:
        factors = [_multiple(s, right_of(s.probe, output), s.probe.inputs.get(name), added) for s in known]
        told = [c for c in factors if c is not None]
        # A multiple fits one number, whatever it is.
        if sum(s.value.size for s in known if s.value is not None) < FEW:
            return None
        if name == "x" or not told or len(told) < len(factors) or np.ptp(told) > 1e-6 * max(map(abs, told)):
            continue
        return Finding(
            output=output, verdict=Judgement.WRONG, cause="regulariser_gradient_wrong",
            says=f"your {output} is right plus {told[0]:.4g} times {what}: a regulariser's gradient, which "
            + ("no loss of this layer has" if told[0] > 0 else "is left out or has the wrong sign"),
            evidence={"misfit": 0.0, "probes": len(known), "factor": told[0]},
            fix=f"add it where the loss has {term(abs(told[0]))}",
            lesson=LESSONS["regulariser_gradient_wrong"],
        )  # fmt: skip
    return None


def _multiple(sample: Sample, truth: Array, array: Array | None, added: Callable[[Array], Array]) -> float | None:
    """Return c where a result is right plus c times something made of a parameter; None where it is not."""
    if array is None or sample.value is None or sample.value.shape != truth.shape != ():
        return None
    rest, term = sample.value - truth, added(array)
    c = float(rest.ravel() @ term.ravel()) / max(float(term.ravel() @ term.ravel()), 1e-300)
    if np.abs(rest - c * term).max(initial=0) > 1e-6 * np.abs(sample.value).max(initial=1e-300):
        return None
    return c
