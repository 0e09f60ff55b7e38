"""The update rules of optimisers, right ones and known wrong ones, as steps at a learning rate of 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whygrad.typing import Array

#: state, gradient, parameter, the number of the step from 1 → what is subtracted, at a learning rate of 1.
Formula = Callable[[dict[str, Any], Array, Array, int], Array]


@dataclass
class Rule:
    """One optimiser, with what it remembers of each parameter."""

    name: str
    formula: Formula
    wrong: str = ""  #: what is wrong with it; empty for a right one
    label: str = "optimizer_formula_wrong"
    family: str = "sgd"
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
        yield Rule(f"momentum {beta:.4g}", _momentum(beta), family="momentum")
        yield Rule(
            f"momentum {beta:.4g}, damped by {1 - beta:.4g}", _momentum(beta, damping=1 - beta), family="momentum"
        )
        yield Rule(f"Nesterov's momentum {beta:.4g}", _momentum(beta, ahead=True), family="nesterov")
        yield Rule(
            f"Nesterov's momentum {beta:.4g}, damped",
            _momentum(beta, damping=1 - beta, ahead=True),
            family="nesterov",
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
            yield Rule("Adam", _adam(b1, b2, eps), family="adam")
    yield Rule("Adam, eps under the root", _adam(0.9, 0.999, 1e-8, inside=True), family="adam")
    for rho in (0.9, 0.99, 0.95, 0.999):
        for eps in (1e-8, 1e-7, 1e-6, 1e-5, 1e-10):
            yield Rule(f"RMSprop {rho:g}", _rmsprop(rho, eps), family="rmsprop")
        yield Rule(f"RMSprop {rho:g}, eps under the root", _rmsprop(rho, 1e-8, inside=True), family="rmsprop")
    for eps in (1e-8, 1e-7, 1e-10, 1e-6, 0.0):
        yield Rule("AdaGrad", _adagrad(eps), family="adagrad")
    yield Rule("the sign of the gradient", lambda s, g, w, t: np.sign(g), family="sign")


def wrong_rules(betas: tuple[float, ...]) -> Iterator[Rule]:
    """Yield rules that people write by mistake."""
    adam = {
        "no correction": "leaves out both corrections, m/(1−β₁ᵗ) and v/(1−β₂ᵗ): the first steps are of the "
        "wrong size",
        "no m": "leaves out the correction of the mean, m/(1−β₁ᵗ)",
        "no v": "leaves out the correction of the mean square, v/(1−β₂ᵗ)",
        "power": "corrects by 1/βᵗ in place of 1/(1−βᵗ)",
        "no root": "divides by v̂ and not by its root",
        "not squared": "has the mean of g in v where that of g² belongs",
        "swapped": "has β₁ and β₂ exchanged",
        "first t": "corrects with t = 1 in every step",
        "t from 2": "counts its steps from 2",
    }
    for kind, says in adam.items():
        for eps in (1e-8, 1e-7):
            yield Rule("Adam", _adam(0.9, 0.999, eps, kind=kind), says, family="adam")
    for kind in ("", "power", "no correction"):
        more = f", and {adam[kind]}" if kind else ""
        yield Rule(
            "Adam",
            _adam(0.9, 0.999, 1e-8, kind=kind),
            f"replaces the parameter by the step where it should subtract it{more}",
            family="adam",
            replaces=True,
        )
    yield Rule(
        "gradient descent",
        lambda s, g, w, t: g,
        "replaces the parameter by the step where it should subtract it",
        replaces=True,
    )
    yield Rule(
        "gradient descent",
        lambda s, g, w, t: w,
        "subtracts the parameter in place of its gradient",
        "update_uses_wrong_variable",
    )
    yield Rule(
        "gradient descent",
        lambda s, g, w, t: _keep(s, "sum", g),
        "adds up the gradients of all steps: they are never set to 0",
        "gradients_not_zeroed",
    )
    yield Rule(
        "gradient descent", lambda s, g, w, t: _last(s, g), "uses the gradient of the step before", "stale_gradient"
    )
    for beta in betas:
        yield Rule(
            "momentum",
            _momentum(beta, sign=-1),
            "adds the gradient to the velocity with the wrong sign",
            family="momentum",
        )
        yield Rule(
            "momentum",
            _momentum(beta, forgetting=True),
            "forgets the velocity: it is βv + g with the v of the first step",
            family="momentum",
        )
        yield Rule(
            "Nesterov's momentum",
            _nesterov_wrong(beta, "no gradient"),
            "takes β·v as its step and leaves the gradient out",
            family="nesterov",
        )
        yield Rule(
            "Nesterov's momentum",
            _nesterov_wrong(beta, "back"),
            "looks back, g − β·v, where it should look ahead",
            family="nesterov",
        )
        yield Rule(
            "Nesterov's momentum",
            _nesterov_wrong(beta, "old"),
            "looks ahead with the velocity of the step before",
            family="nesterov",
        )
        yield Rule(
            "Nesterov's momentum",
            _nesterov_wrong(beta, "twice"),
            "applies the momentum twice, v + β·v",
            family="nesterov",
        )
    for rho in (0.9, 0.99):
        yield Rule(
            "RMSprop",
            _rmsprop(rho, 1e-8, root=False),
            "divides by the mean square and not by its root",
            family="rmsprop",
        )
        yield Rule(
            "RMSprop",
            _rmsprop(rho, 1e-8, swapped=True),
            "weighs the new square with ρ and the old ones with 1−ρ",
            family="rmsprop",
        )
        yield Rule(
            "RMSprop",
            _rmsprop(rho, 1e-8, squared=False),
            "takes the mean of g where that of g² belongs",
            family="rmsprop",
        )
        yield Rule(
            "RMSprop",
            _rmsprop(rho, 1e-8, times=True),
            "multiplies by the root where it should divide",
            family="rmsprop",
        )


def adam_from(first: int, by: int) -> Rule:
    """Return Adam with t = first, first + by, first + 2·by, ... in its steps."""
    formula = _adam(0.9, 0.999, 1e-8)
    return Rule("Adam", lambda s, g, w, t: formula(s, g, w, first + (t - 1) * by), family="adam")


def _keep(s: dict[str, Any], name: str, g: Array) -> Array:
    s[name] = s.get(name, 0.0) + g
    return s[name]


def _last(s: dict[str, Any], g: Array) -> Array:
    before = s.get("g", np.zeros_like(g))
    s["g"] = g
    return before


def _momentum(
    beta: float, *, damping: float = 1.0, ahead: bool = False, sign: int = 1, forgetting: bool = False
) -> Formula:
    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w
        v = beta * s.get("v", 0.0) + sign * damping * g
        if not forgetting or t == 1:
            s["v"] = v
        return damping * g + beta * v if ahead else v

    return formula


def _nesterov_wrong(beta: float, kind: str) -> Formula:
    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w, t
        old = s.get("v", np.zeros_like(g))
        v = s["v"] = beta * old + g
        return {
            "no gradient": beta * v,
            "back": g - beta * v,
            "old": g + beta * old + beta * v,
            "twice": v + beta * v,
        }[kind]

    return formula


def _adam(b1: float, b2: float, eps: float, *, kind: str = "", inside: bool = False) -> Formula:
    if kind == "swapped":
        b1, b2 = b2, b1

    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w
        m = s["m"] = b1 * s.get("m", 0.0) + (1 - b1) * g
        v = s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * (g if kind == "not squared" else g * g)
        t = {"first t": 1, "t from 2": t + 1}.get(kind, t)
        by_m, by_v = 1 - b1**t, 1 - b2**t
        if kind == "power":
            by_m, by_v = b1**t, b2**t
        if kind in ("no correction", "no m"):
            by_m = 1.0
        if kind in ("no correction", "no v"):
            by_v = 1.0
        m, v = m / by_m, v / by_v
        if inside:
            return m / np.sqrt(v + eps)
        return m / ((v if kind == "no root" else np.sqrt(np.abs(v))) + eps)

    return formula


def _rmsprop(
    rho: float,
    eps: float,
    *,
    inside: bool = False,
    root: bool = True,
    swapped: bool = False,
    squared: bool = True,
    times: bool = False,
) -> Formula:
    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w, t
        keep = 1 - rho if swapped else rho
        v = s["v"] = keep * s.get("v", 0.0) + (1 - keep) * (g * g if squared else g)
        if times:
            return g * np.sqrt(np.abs(v))
        if inside:
            return g / np.sqrt(v + eps)
        return g / ((np.sqrt(np.abs(v)) if root else v) + eps)

    return formula


def _adagrad(eps: float) -> Formula:
    def formula(s: dict[str, Any], g: Array, w: Array, t: int) -> Array:
        del w, t
        total = _keep(s, "sum", g * g)
        return np.divide(g, np.sqrt(total) + eps, out=np.zeros_like(g), where=total > 0)

    return formula
