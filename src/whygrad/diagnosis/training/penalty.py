"""How strongly a loss penalises the size of its parameters, and the suspicion that this outweighs the data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from whygrad.diagnosis.training.batches import rebuilt
from whygrad.diagnosis.training.report import Trial, fault
from whygrad.diagnosis.training.stopping import CallFailed
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run
from whygrad.typing import Array


def penalty(subject: Subject) -> dict[str, float]:
    """Return λ of each parameter that the loss has ½λ‖w‖² of; those without are left out.

    With all other parameters at 0 a weight has no influence on what the network predicts, unless it is in the last
    layer, so that what the loss changes by is the penalty alone. It must grow with the square.

    Example:
        >>> def loss(p, b): return float(np.tanh(p["w"] @ p["v"]).sum() ** 2 + 0.5 * (p["w"] ** 2).sum())
        >>> found = penalty(Subject({"w": np.ones((2, 3)), "v": np.ones(3)}, None, loss))
        >>> {n: round(v, 6) for n, v in found.items()}
        {'w': 1.0}
    """
    return {n: float(lam.max()) for n, lam in penalised_entries(subject).items()}


def penalised_entries(subject: Subject) -> dict[str, Array]:
    """Return λ of each parameter that the loss has ½Σλw² of, as arrays of its shape: a bias folded in has 0.

    Softmax regression has one weight, which its predictions depend on. They do not where it is the same for all
    classes, which a softmax takes no notice of, nor with samples that are all 0.

    Example:
        >>> def loss(p, b): return float(np.tanh(b[0] @ p["w"]).sum() ** 2 + 0.5 * (p["w"][1:] ** 2).sum())
        >>> training = Subject({"w": np.zeros((3, 2))}, (np.ones((4, 3)), np.zeros(4)), loss)
        >>> penalised_entries(training)["w"].tolist()
        [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    """
    exact = subject.exact()
    zeros = {n: np.zeros_like(a) if n in exact.names else a for n, a in exact.params.items()}
    found: dict[str, Array] = {}
    rng = np.random.default_rng((2, 71))
    try:
        floor = exact.loss(zeros)
        for name in exact.names:
            w = exact.params[name]
            if w.dtype.kind != "f":
                continue
            lam = _quadratic(exact, zeros, name, w, None) if np.any(w) else None
            if lam and _alike(lam, _quadratic(exact, zeros, name, rng.normal(size=w.shape), None)):
                found[name] = np.full(w.shape, lam)
            elif lam != 0.0 and w.ndim == 2 and name in exact.weights:
                found |= _by_slices(exact, zeros, name)
    except CallFailed:
        return {}
    return found if np.isfinite(floor) else {}


def _quadratic(
    subject: Subject, zeros: Mapping[str, Array], name: str, direction: Array, batch: Any
) -> float | None:
    """Return λ along a direction of one parameter, all others 0; None where the loss is not ½λ‖w‖² along it."""
    square = float((direction.astype(np.float64) ** 2).sum())
    floor, *risen = (
        subject.loss({**zeros, name: (s * direction).astype(zeros[name].dtype)}, batch) for s in (0.0, 1.0, 2.0)
    )
    once, twice = (value - floor for value in risen)
    rounding = 1e-9 * max(abs(floor), 1e-12)
    if abs(once) <= rounding and abs(twice) <= rounding:
        return 0.0
    return 2 * once / square if once > rounding and abs(twice / once - 4) < 1e-3 else None


def _alike(one: float, other: float | None) -> bool:
    return other is not None and abs(one - other) < 1e-3 * abs(one)


def _by_slices(subject: Subject, zeros: Mapping[str, Array], name: str) -> dict[str, Array]:
    """Return λ of a weight whose first or last row or column may be a bias; nothing where it cannot be told."""
    shape, pair = zeros[name].shape, subject.xt()
    silent = None if pair is None else rebuilt(subject.batch, np.asarray(pair[0]) * 0, pair[1])
    rng = np.random.default_rng(0)
    for axis, batch in itertools.product((0, 1), (None, silent) if silent is not None else (None,)):
        all_of_it = np.ones(shape) if batch is None else rng.normal(size=shape)
        lam = np.zeros(shape)
        slices, values = np.moveaxis(lam, axis, 0), []  # a view
        for i in (0, shape[axis] // 2, -1):
            chosen = np.zeros(shape)
            np.moveaxis(chosen, axis, 0)[i] = 1.0
            values.append(_quadratic(subject, zeros, name, chosen * all_of_it, batch))
        whole = _quadratic(subject, zeros, name, all_of_it, batch)
        if not whole or any(v is None for v in values):
            continue
        slices[0], slices[1:-1], slices[-1] = values[0], values[1], values[2]
        if abs(float((lam * all_of_it**2).sum()) / (whole * float((all_of_it**2).sum())) - 1) < 1e-3:
            return {name: lam}
    return {}


def data_loss(subject: Subject) -> Callable[[Mapping[str, Array], Any], float]:
    """Return the loss without the ½λ‖w‖² that it has, as a function of parameters and a batch.

    Example:
        >>> def loss(p, b): return float((p["w"] @ p["v"]) ** 2 + 0.5 * (p["w"] ** 2).sum())
        >>> training = Subject({"w": np.ones(3), "v": np.ones(3)}, None, loss)
        >>> training.loss(), round(data_loss(training)(training.params, None), 6)
        (10.5, 9.0)
    """
    found = penalised_entries(subject)

    def cost(params: Mapping[str, Array], batch: Any) -> float:
        return subject.loss(params, batch) - _size(found, params)

    return cost


def _size(found: Mapping[str, Array], params: Mapping[str, Array]) -> float:
    return sum(0.5 * float((lam * np.asarray(params[n], np.float64) ** 2).sum()) for n, lam in found.items())


def suspect_penalty(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that a penalty on the parameters outweighs the data."""
    found = penalised_entries(subject)
    if not found or subject.gradients_function is None:
        return
    size, largest = _size(found, subject.params), max(float(lam.max()) for lam in found.values())
    if size < 0.02 * abs(subject.loss()) and largest < 0.02:
        return
    cost = data_loss(subject)

    def change(gradients: dict[str, Array], params: dict[str, Array], batch: Any) -> dict[str, Array]:
        del batch
        return {n: g - found.get(n, 0.0) * params[n] for n, g in gradients.items()}

    told = ", ".join(f"{lam.max() / 2:.3g}·Σ{n}²" for n, lam in found.items())
    finding = fault(
        "regulariser",
        "regularisation_too_strong",
        f"the loss has {told} beside the data, {size:.3g} of {subject.loss():.3g} at the start",
        lesson="A penalty that outweighs the data pulls the weights to 0, whatever the data say.",
    )
    fix = "lower the penalty a hundredfold; without it the loss of the data was run, and falls"
    what = "without the penalty, the loss of the data"

    def as_it_is() -> Trial:
        return run(subject, "as given, the loss of the data", subject.stepper(), steps=given.steps, value=cost)

    def remedy() -> Trial:
        return run(subject, what, subject.stepper(change=change), value=cost)

    yield Suspicion(finding, [Remedy(remedy, fix)], reference=as_it_is)
