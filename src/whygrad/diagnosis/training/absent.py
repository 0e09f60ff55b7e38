"""Gradients that are missing, or 0 everywhere, of parameters on which the loss depends."""

from __future__ import annotations

from collections.abc import Sequence

from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.readings import Reading
from whygrad.diagnosis.training.report import fault
from whygrad.diagnosis.training.subject import Subject

_BIAS = ("b", "bias", "beta")


def absent(subject: Subject, name: str, readings: Sequence[Reading], *, missing: bool) -> Finding:
    """Return the finding of a parameter that gets no gradient although the loss depends on it."""
    label = "missing_bias_gradient" if is_bias(subject, name) else "layer_not_trained"
    slopes = ", ".join(f"{r.slope.value:.3g}" for r in readings)
    how = "is missing" if missing else "is 0 everywhere"
    says = (
        f"the gradient of {name} {how}, and the loss changes with {name}: its slopes along random directions "
        f"are {slopes}"
    )
    also = "layer_not_trained" if label == "missing_bias_gradient" else "weight_gradient_zero"
    return fault(
        f"gradient of {name}",
        label,
        says,
        fix=f"compute the gradient of {name} and return it",
        also=also,
        lesson=LESSONS.get("weight_gradient_zero", ""),
    )


def is_bias(subject: Subject, name: str) -> bool:
    """Return whether a parameter is a bias: by its name, or since it has one axis."""
    last = name.lower().replace("_", ".").split(".")[-1].rstrip("0123456789")
    return last in _BIAS or (
        sum(size > 1 for size in subject.params[name].shape) < 2 and last not in ("w", "weight", "gamma", "g")
    )
