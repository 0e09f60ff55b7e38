"""How strongly a loss penalises the size of its parameters, and the suspicion that this outweighs the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

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
    exact = subject.exact()
    names = exact.names
    zeros = {n: np.zeros_like(a) if n in names else a for n, a in exact.params.items()}
    found: dict[str, float] = {}
    try:
        floor = exact.loss(zeros)
        for name in names:
            w = exact.params[name]
            square = float((w.astype(np.float64) ** 2).sum())
            if not square or w.dtype.kind != "f":
                continue
            once, twice = (exact.loss({**zeros, name: (s * w).astype(w.dtype)}) - floor for s in (1.0, 2.0))
            rounding = 1e-9 * max(abs(floor), 1e-12)
            if once > rounding and abs(twice / once - 4) < 1e-3:
                found[name] = 2 * once / square
    except CallFailed:
        return {}
    return found


def data_loss(subject: Subject) -> Callable[[Mapping[str, Array], Any], float]:
    """Return the loss without the ½λ‖w‖² that it has, as a function of parameters and a batch.

    Example:
        >>> def loss(p, b): return float((p["w"] @ p["v"]) ** 2 + 0.5 * (p["w"] ** 2).sum())
        >>> training = Subject({"w": np.ones(3), "v": np.ones(3)}, None, loss)
        >>> training.loss(), round(data_loss(training)(training.params, None), 6)
        (10.5, 9.0)
    """
    found = penalty(subject)

    def cost(params: Mapping[str, Array], batch: Any) -> float:
        return subject.loss(params, batch) - sum(
            0.5 * lam * float((np.asarray(params[n], np.float64) ** 2).sum()) for n, lam in found.items()
        )

    return cost


def suspect_penalty(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that a penalty on the parameters outweighs the data."""
    found = penalty(subject)
    if not found or subject.gradients_function is None:
        return
    size = sum(0.5 * lam * float((subject.params[n].astype(np.float64) ** 2).sum()) for n, lam in found.items())
    del given
    if size < 0.02 * abs(subject.loss()) and max(found.values()) < 0.02:
        return

    def change(gradients: dict[str, Array], params: dict[str, Array], batch: Any) -> dict[str, Array]:
        del batch
        return {n: g - found.get(n, 0.0) * params[n] for n, g in gradients.items()}

    told = ", ".join(f"{lam / 2:.3g}·Σ{n}²" for n, lam in found.items())
    finding = fault(
        "regulariser",
        "regularisation_too_strong",
        f"the loss has {told} beside the data, {size:.3g} of {subject.loss():.3g} at the start",
        lesson="A penalty that outweighs the data pulls the weights to 0, whatever the data say.",
    )
    fix = "lower the penalty a hundredfold; without it the loss of the data was run, and falls"
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(
                    subject,
                    "without the penalty, the loss of the data",
                    subject.stepper(change=change),
                    value=data_loss(subject),
                ),
                fix,
            )
        ],
    )
