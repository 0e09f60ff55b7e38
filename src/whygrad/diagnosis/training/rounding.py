"""Updates that round to nothing: parameters that are kept with fewer digits than steps are long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.report import Finding
from whygrad.diagnosis.training.adaptive import Adaptive
from whygrad.diagnosis.training.fitting import betas_of, fitted
from whygrad.diagnosis.training.recording import Recorded, flat, recorded
from whygrad.diagnosis.training.report import Evidence, Trial, fault, shown_by
from whygrad.diagnosis.training.rules import Rule, right_rules
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.trials import run
from whygrad.typing import Array

#: Binary digits up to which parameters count as rounded; float16 has 11 and float32 24. Decimals, the same.
_DIGITS, _DECIMALS = 16, 5
#: How many different numbers there must be for what they have in common to count.
_DISTINCT = 12
#: Share of updates that round to nothing, from which on they are looked into.
_LOST = 0.3
#: How much further the training must come without the rounding, and how far at least, relative to its loss.
_FURTHER, _SEEN = 1.15, 0.005
#: How many of the steps' entries a rule must give to within the rounding.
_MOST = 0.98


class Grid(NamedTuple):
    """What numbers are rounded to."""

    digits: int
    binary: bool

    def half(self, w: Array) -> Array:
        """Return half of the distance between neighbours on the grid, at numbers.

        Example:
            >>> Grid(8, True).half(np.array([1.0, 3.0])), Grid(2, False).half(np.array([7.0]))
            (array([0.00390625, 0.0078125 ]), array([0.005]))
        """
        if not self.binary:
            return np.full(w.shape, 0.5 * 10.0**-self.digits)
        return np.ldexp(1.0, np.frexp(w)[1] - self.digits - 1)

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.digits} binary digits" if self.binary else f"{self.digits} decimals"


def grid_of(params: Mapping[str, Array]) -> Grid | None:
    """Return with how few digits all numbers can be written; None where they have as many as floats have.

    Example:
        >>> grid_of({"w": np.arange(-16, 16) / 64}), grid_of({"w": np.arange(30) / 100})
        (Grid(digits=4, binary=True), Grid(digits=2, binary=False))
        >>> grid_of({"w": np.arange(30) / 7}) is None
        True
    """
    floats = [np.ravel(a).astype(np.float64) for a in params.values() if a.dtype.kind == "f"]
    w = np.concatenate(floats) if floats else np.zeros(0)
    w = w[w != 0]
    if len(np.unique(w)) < _DISTINCT or not np.isfinite(w).all():
        return None
    mantissa = np.frexp(w)[0]
    for digits in range(1, _DIGITS + 1):
        scaled = np.ldexp(mantissa, digits)
        if np.array_equal(scaled, np.round(scaled)):
            return Grid(digits, True)
    for digits in range(1, _DECIMALS + 1):
        scaled = w * 10.0**digits
        if np.all(np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(np.abs(scaled), 1)):
            return Grid(digits, False)
    return None


def examine_rounding(subject: Subject, given: Trial) -> Evidence:
    """Say whether most of what steps subtract is rounded away, and whether the training learns more without that.

    Args:
        subject: the training; its gradients are taken for right.
        given: the training as given.
    """
    grid = grid_of({n: a for n, a in given.params.items() if n in subject.names}) if given.steps else None
    if grid is None or subject.gradients_function is None:
        return Evidence("numbers")
    try:
        steps = recorded(subject)
    except CallFailed as failed:
        return Evidence("numbers", untested=(f"what rounding does to updates: {failed}",))
    followed = _followed(subject, steps, grid)
    if followed is None:
        return Evidence("numbers", untested=(f"what rounding to {grid} does: the update has no known formula",))
    rule, rate = followed
    lost = _lost(steps, rule, rate, grid)
    told = f"the parameters are kept with {grid}, and {lost:.0%} of the updates are less than half of the last one"
    if lost < _LOST:
        return Evidence("numbers", says=told)
    wide = subject.exact()
    exact = run(
        wide, "without the rounding", Adaptive(wide, rate, rule=replace(rule, state={}, t=0)), steps=given.steps
    )
    seen = exact.finite and exact.first - exact.last > _SEEN * abs(exact.first)
    if given.finite and seen and exact.first - exact.last > _FURTHER * (given.first - given.last):
        finding = _finding(f"{told}: they round to nothing", lost=lost)
        return Evidence("numbers", (shown_by(finding, given, exact),))
    return Evidence("numbers", says=told)


def _finding(says: str, **evidence: Any) -> Finding:
    return fault(
        "numbers",
        "float32_precision",
        says,
        fix="keep the parameters in float32 or float64, and round copies of them for the computation",
        lesson=(
            "A sum of a large and a small number loses what is below the large one's last digit. Updates are "
            "a thousandth of the weights and less, and need digits for many of them to add up."
        ),
        **evidence,
    )


def rounded_away(subject: Subject, steps: Sequence[Recorded], still: Sequence[str]) -> Finding | None:
    """Return that parameters which no step changes are kept with too few digits for that, if they are."""
    grid = grid_of({n: steps[-1].after[n] for n in steps[-1].gradients})
    rate = float(subject.learning_rate or 0.0)
    if grid is None or not rate:
        return None
    if not all(
        np.all(np.abs(rate * r.gradients[n]) <= 1.01 * grid.half(r.params[n].astype(np.float64)))
        for r in steps
        for n in still
    ):
        return None
    says = (
        f"no step changes {', '.join(still)}: the parameters are kept with {grid}, and every update is less than "
        "half of the last one"
    )
    return _finding(says, also="layer_not_trained")


def _followed(subject: Subject, steps: Sequence[Recorded], grid: Grid) -> tuple[Rule, float] | None:
    """Return whose rule the steps follow but for the rounding, and at which rate."""
    if len(steps) < 2:
        return None
    after = np.concatenate([flat({n: r.after[n] for n in r.gradients}).astype(np.float64) for r in steps])
    taken = np.concatenate([flat(r.taken) for r in steps])
    half = grid.half(np.maximum(np.abs(after), np.abs(after + taken)))
    for rule in right_rules(betas_of(subject, steps)):
        rates = {float(subject.learning_rate or 0.0), fitted(rule, steps, decays=False).rate}
        told = _steps_of(rule, steps)
        for rate in rates:
            if rate > 0 and np.mean(np.abs(taken - rate * told) <= 1.01 * half + 1e-15) > _MOST:
                return rule, rate
    return None


def _steps_of(rule: Rule, steps: Sequence[Recorded]) -> Array:
    fresh = replace(rule, state={}, t=0)
    return np.concatenate([flat(fresh.steps(r.gradients, r.params)) for r in steps])


def _lost(steps: Sequence[Recorded], rule: Rule, rate: float, grid: Grid) -> float:
    """Return the share of updates that round to nothing, among those that are not 0."""
    wanted = rate * _steps_of(rule, steps)
    before = np.concatenate([flat({n: r.params[n] for n in r.gradients}).astype(np.float64) for r in steps])
    taken = np.concatenate([flat(r.taken) for r in steps])
    needed = np.abs(wanted) > 0
    kept = (taken == 0) & (np.abs(wanted) <= 1.01 * grid.half(before))
    return float(np.mean(kept[needed])) if needed.any() else 0.0
