"""The update rules of optimisers, right ones and known wrong ones, as steps at a learning rate of 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whygrad.diagnosis.training.formulas import (
    Formula,
    adagrad,
    adam,
    delayed,
    momentum,
    nesterov_wrong,
    rmsprop,
    total,
)
from whygrad.typing import Array

#: A mistake in any rule.
REPLACES = "replaces the parameter by the step where it should subtract it"
#: What people get wrong about Adam, by the name of its formula.
_ADAM = {
    "no correction": "leaves out both corrections, m/(1−β₁ᵗ) and v/(1−β₂ᵗ): the first steps are of the wrong size",
    "no m": "leaves out the correction of the mean, m/(1−β₁ᵗ)",
    "no v": "leaves out the correction of the mean square, v/(1−β₂ᵗ)",
    "power": "corrects by 1/βᵗ in place of 1/(1−βᵗ)",
    "no root": "divides by v̂ and not by its root",
    "not squared": "has the mean of g in v where that of g² belongs",
    "swapped": "has β₁ and β₂ exchanged",
    "first t": "corrects with t = 1 in every step",
    "t from 2": "counts its steps from 2",
}
#: What people get wrong about Nesterov's momentum.
_NESTEROV = {
    "no gradient": "takes β·v as its step and leaves the gradient out",
    "back": "looks back, g − β·v, where it should look ahead",
    "old": "looks ahead with the velocity of the step before",
    "twice": "applies the momentum twice, v + β·v",
}


@dataclass
class Rule:
    """One optimiser, with what it remembers of each parameter."""

    name: str
    formula: Formula
    wrong: str = ""  #: what is wrong with it; empty for a right one
    label: str = "optimizer_formula_wrong"
    family: str = "sgd"
    beta: float = 0.0  #: of momentum
    replaces: bool = False  #: whether the parameter is replaced by the step
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    t: int = 0

    def steps(self, gradients: dict[str, Array], params: dict[str, Array]) -> dict[str, Array]:
        """Return what is subtracted from each parameter at a learning rate of 1."""
        self.t += 1
        found: dict[str, Array] = {}
        for name, g in gradients.items():
            with np.errstate(all="ignore"):
                found[name] = self.formula(self.state.setdefault(name, {}), g, params[name], self.t)
        return found


def right_rules(betas: tuple[float, ...]) -> Iterator[Rule]:
    """Yield the rules that are right, with each of some momenta."""
    yield Rule("gradient descent", lambda s, g, w, t: g)
    for beta in betas:
        yield Rule(f"momentum {beta:.4g}", momentum(beta), family="momentum", beta=beta)
        yield Rule(
            f"momentum {beta:.4g}, damped by {1 - beta:.4g}",
            momentum(beta, damping=1 - beta),
            family="momentum",
            beta=beta,
        )
        yield Rule(f"Nesterov's momentum {beta:.4g}", momentum(beta, ahead=True), family="nesterov", beta=beta)
        yield Rule(
            f"Nesterov's momentum {beta:.4g}, damped",
            momentum(beta, damping=1 - beta, ahead=True),
            family="nesterov",
            beta=beta,
        )
    for b1, b2 in (
        (0.9, 0.999),
        (0.9, 0.99),
        (0.9, 0.98),
        (0.9, 0.95),
        (0.5, 0.999),
        (0.8, 0.999),
        (0.95, 0.999),
        (0.0, 0.999),
    ):
        for eps in (1e-8, 1e-7, 1e-6, 1e-5, 1e-3):
            yield Rule("Adam", adam(b1, b2, eps), family="adam")
    yield Rule("Adam, eps under the root", adam(0.9, 0.999, 1e-8, inside=True), family="adam")
    for rho in (0.9, 0.99, 0.95, 0.999):
        for eps in (1e-8, 1e-7, 1e-6, 1e-5, 1e-10):
            yield Rule(f"RMSprop {rho:g}", rmsprop(rho, eps), family="rmsprop")
        yield Rule(f"RMSprop {rho:g}, eps under the root", rmsprop(rho, 1e-8, inside=True), family="rmsprop")
    for eps in (1e-8, 1e-7, 1e-10, 1e-6, 0.0):
        yield Rule("AdaGrad", adagrad(eps), family="adagrad")
    yield Rule("the sign of the gradient", lambda s, g, w, t: np.sign(g), family="sign")


def wrong_rules(betas: tuple[float, ...]) -> Iterator[Rule]:
    """Yield rules that people write by mistake."""
    yield from _wrong_adam()
    yield from _wrong_descent()
    for beta in betas:
        yield from _wrong_momentum(beta)
    for rho in (0.9, 0.99):
        yield from _wrong_rmsprop(rho)


def _wrong_adam() -> Iterator[Rule]:
    for kind, says in _ADAM.items():
        for eps in (1e-8, 1e-7):
            yield Rule("Adam", adam(0.9, 0.999, eps, kind=kind), says, family="adam")
    for kind in ("", "power", "no correction"):
        says = f"{REPLACES}, and {_ADAM[kind]}" if kind else REPLACES
        yield Rule("Adam", adam(0.9, 0.999, 1e-8, kind=kind), says, family="adam", replaces=True)


def _wrong_descent() -> Iterator[Rule]:
    name = "gradient descent"
    yield Rule(name, lambda s, g, w, t: g, REPLACES, replaces=True)
    parameter = "subtracts the parameter in place of its gradient"
    yield Rule(name, lambda s, g, w, t: w, parameter, "update_uses_wrong_variable")
    kept = "adds up the gradients of all steps: they are never set to 0"
    yield Rule(name, lambda s, g, w, t: total(s, "sum", g), kept, "gradients_not_zeroed")
    yield Rule(name, lambda s, g, w, t: delayed(s, g), "uses the gradient of the step before", "stale_gradient")


def _wrong_momentum(beta: float) -> Iterator[Rule]:
    sign = "adds the gradient to the velocity with the wrong sign"
    yield Rule("momentum", momentum(beta, sign=-1), sign, family="momentum")
    forgets = "forgets the velocity: it is βv + g with the v of the first step"
    yield Rule("momentum", momentum(beta, forgetting=True), forgets, family="momentum")
    for kind, says in _NESTEROV.items():
        yield Rule("Nesterov's momentum", nesterov_wrong(beta, kind), says, family="nesterov")


def _wrong_rmsprop(rho: float) -> Iterator[Rule]:
    for formula, says in (
        (rmsprop(rho, 1e-8, root=False), "divides by the mean square and not by its root"),
        (rmsprop(rho, 1e-8, swapped=True), "weighs the new square with ρ and the old ones with 1−ρ"),
        (rmsprop(rho, 1e-8, squared=False), "takes the mean of g where that of g² belongs"),
        (rmsprop(rho, 1e-8, times=True), "multiplies by the root where it should divide"),
    ):
        yield Rule("RMSprop", formula, says, family="rmsprop")


def adam_from(first: int, by: int) -> Rule:
    """Return Adam with t = first, first + by, first + 2·by, ... in its steps."""
    formula = adam(0.9, 0.999, 1e-8)
    return Rule("Adam", lambda s, g, w, t: formula(s, g, w, first + (t - 1) * by), family="adam")
