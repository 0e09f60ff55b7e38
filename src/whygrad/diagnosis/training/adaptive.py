"""Adam on any training's gradients, for trials that have to get somewhere whatever the learning rate was."""

from __future__ import annotations

from typing import Any

from whygrad.diagnosis.training.rules import Rule, right_rules
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array


class Adaptive:
    """Adam at some rate, from any training's gradients."""

    def __init__(self, subject: Subject, rate: float, change: Any = None, rule: Rule | None = None) -> None:
        self.subject, self.rate, self.change = subject, rate, change
        self.rule = rule or next(r for r in right_rules(()) if r.family == "adam")

    def __call__(self, params: dict[str, Array], batch: Any) -> dict[str, Array]:
        """Return the parameters after one update."""
        gradients = self.subject.gradients(params, batch)
        if self.change is not None:
            gradients = self.change(gradients, params, batch)
        gradients = {n: g for n, g in gradients.items() if g.shape == params[n].shape}
        new = dict(params)
        for name, step in self.rule.steps(gradients, params).items():
            new[name] = (params[name] - self.rate * step).astype(params[name].dtype)
        return new
