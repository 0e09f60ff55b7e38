"""How steep the loss's valley is at its steepest, and which learning rates that allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from whygrad.diagnosis.training.report import Evidence
from whygrad.diagnosis.training.slopes import typical
from whygrad.diagnosis.training.stopping import CallFailed, OutOfTime
from whygrad.diagnosis.training.subject import Subject
from whygrad.typing import Array

#: Products with the Hessian that are made at most.
PRODUCTS = 12
_SETTLED = 0.01


class Curvature(NamedTuple):
    """The largest eigenvalue of the Hessian, and what follows from it."""

    largest: float  #: λ
    products: int  #: how many products with the Hessian it took
    limit: float  #: 2(1+β)/λ: above this rate descent along that direction grows

    def multiple(self, rate: float) -> float:
        """Return a learning rate as a multiple of the limit."""
        return rate / self.limit if self.limit > 0 else 0.0


def curvature(subject: Subject, params: Mapping[str, Array] | None = None, *, seed: int = 0) -> Curvature:
    """Return the largest curvature of the loss at parameters, by Lanczos' method on differences of gradients.

        H·v ≈ (g(w + ε·v) − g(w − ε·v)) / 2ε          limit = 2·(1 + β) / λ

    Args:
        subject: the training; its gradients are taken for right.
        params: where; as given if left out.
        seed: of the first direction.

    Raises:
        CallFailed: the gradients cannot be computed.

    Example:
        >>> from whygrad.diagnosis.training.subject import Subject
        >>> def loss(p, b): return float(p["w"] @ p["w"] * 2)
        >>> training = Subject({"w": np.ones(2)}, None, loss, lambda p, b: {"w": 4 * p["w"]})
        >>> round(curvature(training).largest, 6), round(curvature(training).limit, 6)
        (4.0, 0.5)

    Source: C. Lanczos, "An iteration method for the solution of the eigenvalue problem" (1950); the limit with
    momentum is B. T. Polyak's (1964).
    """
    at = {n: np.asarray(a, np.float64) if a.dtype.kind == "f" else a for n, a in (params or subject.params).items()}
    narrow = any(subject.params[n].dtype in (np.float32, np.float16) for n in subject.names)
    names = [n for n in subject.names if at[n].dtype.kind == "f"]
    sizes = [at[n].size for n in names]
    splits = np.cumsum(sizes)[:-1]
    length = float(np.sqrt(sum(typical(at[n]) ** 2 * at[n].size for n in names)))
    epsilon = (1e-3 if narrow else 1e-4) * length

    def gradient(moved: Array) -> Array:
        parts = dict(zip(names, np.split(moved, splits), strict=True))
        given = {n: at[n] + parts[n].reshape(at[n].shape) if n in parts else at[n] for n in at}
        given = {n: a.astype(subject.params[n].dtype, copy=False) for n, a in given.items()}
        found = subject.gradients(given)
        return np.concatenate([np.ravel(found.get(n, np.zeros(at[n].shape))) for n in names])

    def product(v: Array) -> Array:
        return (gradient(epsilon * v) - gradient(-epsilon * v)) / (2 * epsilon)

    largest, made = _lanczos(product, sum(sizes), seed)
    return Curvature(largest, made, 2 * (1 + subject.momentum) / largest if largest > 0 else float("inf"))


def _lanczos(product: Callable[[Array], Array], size: int, seed: int) -> tuple[float, int]:
    rng = np.random.default_rng(seed)
    v = rng.normal(size=size)
    v /= np.linalg.norm(v)
    basis: list[Array] = [v]
    diagonal: list[float] = []
    beside: list[float] = []
    largest, made = 0.0, 0
    for _ in range(min(PRODUCTS, size)):
        try:
            w = product(basis[-1])
        except OutOfTime:
            if not made:
                raise
            break
        made += 1
        if not np.isfinite(w).all():
            raise CallFailed("gradients", "they are not finite near the parameters")
        diagonal.append(float(w @ basis[-1]))
        for u in basis:
            w = w - (w @ u) * u
        t = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        before, largest = largest, float(np.linalg.eigvalsh(t)[-1])
        norm = float(np.linalg.norm(w))
        if norm < 1e-9 * max(abs(largest), 1e-300) or (made > 4 and abs(largest - before) < _SETTLED * largest):
            break
        beside.append(norm)
        basis.append(w / norm)
    return largest, made


def examine_curvature(subject: Subject) -> Evidence:
    """Say which learning rates the curvature allows, and where the one given lies."""
    if subject.learning_rate is None:
        return Evidence(
            "curvature", untested=("the learning rate against the curvature: no learning rate was given",)
        )
    try:
        found = curvature(subject)
    except CallFailed as failed:
        return Evidence("curvature", untested=(f"the curvature: {failed}",))
    return Evidence("curvature", says=described(found, subject))


def described(found: Curvature, subject: Subject) -> str:
    """Return what the curvature says of a learning rate."""
    formula = (
        f"2/λ = {found.limit:.3g}"
        if not subject.momentum
        else f"2(1+β)/λ = {found.limit:.3g} with momentum {subject.momentum:g}"
    )
    return (
        f"the largest curvature is λ = {found.largest:.3g}, so that gradient descent is stable up to {formula}; "
        f"{subject.learning_rate:.3g} is {found.multiple(float(subject.learning_rate or 0)):.2g} times that"
    )
