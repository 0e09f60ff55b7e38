"""How right gradients can be had from wrong ones, so that the training with them can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.implied import differences
from whygrad.diagnosis.training.report import Evidence
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Seconds that differences of all wrong entries may take, and steps that are made with them.
_A_STEP, _MENDED_STEPS = 0.05, 50


@dataclass
class Mended:
    """How the right gradients can be had from the wrong ones."""

    what: str = ""  #: "the gradients times -1"
    change: Callable[..., Any] | None = None  #: gradients, params, batch → gradients
    factors: dict[str, float] = field(default_factory=dict)
    steps: int = 80  #: how many steps a trial with it can have


class GradientEvidence(NamedTuple):
    """What is known of the gradients, and how to mend them."""

    evidence: Evidence
    mended: Mended


def mend(mended: Mended, known: Mapping[str, Finding], subject: Subject) -> None:
    """Make the change that turns the wrong gradients into right ones, where numbers alone can do it."""
    wrong = [n for n, f in known.items() if not f.fine]
    if mended.change is not None or not all(n in mended.factors or f"{n} penalty" in mended.factors for n in wrong):
        _mend_by_differences(mended, wrong, subject)
        return
    factors = dict(mended.factors)

    def change(gradients: dict[str, Array], params: Any, batch: Any) -> dict[str, Array]:
        del batch
        new = dict(gradients)
        for name in wrong:
            if name in factors:
                new[name] = gradients[name] / factors[name]
            else:
                new[name] = gradients[name] - factors[f"{name} penalty"] * params[name]
        return new

    plain = {round(f, 6) for f in factors.values()}
    mended.change = change
    whole = len(wrong) == len(subject.names)
    subjects = "the gradients" if whole else f"the gradient{'s' if len(wrong) > 1 else ''} of {', '.join(wrong)}"
    if len(plain) == 1 and not any("penalty" in k for k in factors):
        value = next(iter(plain))
        mended.what = f"{subjects} times -1" if value == -1 else f"{subjects} divided by {value:.6g}"
    else:
        mended.what = f"{subjects} mended"


def _mend_by_differences(mended: Mended, wrong: Sequence[str], subject: Subject) -> None:
    """Take differences of the loss in place of the gradients that are wrong, where they are few enough."""
    entries = sum(subject.params[n].size for n in wrong)
    subject.loss()
    if mended.change is not None or 2 * entries * subject.costs.get("loss", 0.0) > _A_STEP:
        return
    by_differences = differences(subject, wrong)
    mended.what, mended.steps = f"differences of the loss in place of {', '.join(wrong)}'s gradients", _MENDED_STEPS
    mended.change = lambda gradients, params, batch: {**gradients, **by_differences(params, batch)}
